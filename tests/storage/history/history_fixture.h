// Tests of histories: a MemoryHistory, and merges in it.
#pragma once

#include "storage/history/merge.h"
#include "storage/history/set_algebra.h"
#include "tests/storage/history/merging.h"
#include "tests/support/memory_history.h"
#include "tests/support/status_matchers.h"

namespace emend::storage::history::test {

class HistoryTest : public ::testing::Test, protected MemoryHistory {
 protected:
  CommitId MergeInto(const std::string& branch, const CommitId& other) {
    const CommitId head = Head(branch);
    const MergePlan plan = Must(PlanMerge(repo(), head, other, {}));
    EMEND_CHECK(plan.conflicts.empty(), "the merge has conflicts");
    return Must(TryCommit(branch, head, {head, other}, plan.added, plan.removed));
  }
  // A commit that no ref points to, without edits, at a time of the test's choice.
  CommitId Loose(std::vector<CommitId> parents, std::int64_t time_ms) {
    kv::WriteBatch batch;
    objects::Commit commit = Must(repo().ReadCommit(import_));
    commit.parents = std::move(parents);
    commit.time_ms = time_ms;
    commit.seed = ++loose_;
    const CommitId id = repo().objects().PutCommit(batch, commit);
    Must(store_->Write(batch, kv::Durability::kUnsynced));
    return id;
  }

 private:
  std::uint64_t loose_ = 0;
};

}  // namespace emend::storage::history::test
