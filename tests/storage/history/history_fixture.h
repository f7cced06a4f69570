// Tests of histories: a MemoryHistory, and merges in it.
#pragma once

#include "storage/history/set_algebra.h"
#include "tests/storage/history/merging.h"
#include "tests/support/memory_history.h"
#include "tests/support/status_matchers.h"

namespace emend::storage::history::test {

class HistoryTest : public ::testing::Test, protected MemoryHistory {
 protected:
  CommitId MergeInto(const std::string& branch, const CommitId& other) {
    const CommitId head = Head(branch);
    const CommitId base = Must(MergeBase(repo(), head, other));
    const objects::EditSetDiff diff =
        DiffOf(Active(head), Merge(Active(base), Active(head), Active(other)));
    return Must(TryCommit(branch, head, {head, other}, diff.added, diff.removed));
  }
};

}  // namespace emend::storage::history::test
