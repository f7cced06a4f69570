// What the store of a simulated coordinator must hold, computed from base, stored edits and
// acknowledged operations alone.
//
//   HistoryOracle oracle(cluster.store(), cluster.layout());
//   // what DeltaWorker says on exactly that state
//   EXPECT_EQ(answer.text, oracle.TextOf(repo, answer.state));
//   // at the end, when every operation has ended
//   oracle.CheckRepo(repo, {"main", "side"});
//
// Rebuilds are kept by state: they do not change. Faults are reported as failures of the running
// test.
#pragma once

#include <functional>
#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "coordinator/core/store_layout.h"
#include "coordinator/core/stored_base.h"
#include "storage/history/repository.h"
#include "storage/records/operations.h"
#include "tests/support/delta_worker.h"

namespace emend::test {

class HistoryOracle {
 public:
  struct Counts {
    int commits = 0;          // that moved a branch
    int coalesced = 0;        // of these, solved together with others
    int reverts = 0;          // that moved a branch
    std::size_t longest = 0;  // commits of a branch
  };

  HistoryOracle(storage::kv::KvStore& store, coordinator::core::StoreLayout layout)
      : store_(store), layout_(std::move(layout)) {}

  // The served roots of a state.
  const DeltaWorker::Roots& RootsOf(const RepoName& repo, const StateId& state);
  // What a worker says that has this state, whole and alone, live.
  std::string TextOf(const RepoName& repo, const StateId& state) {
    return DeltaWorker::TextOf(RootsOf(repo, state));
  }

  // Every operation of the repo has ended; every commit was made once, by its own operation and of
  // its own facts, in order of acceptance on its branch; every branch is a chain down to the
  // import, whose sets of edits are those of the parent without what was removed and with what was
  // added; what held a slot before has left when another fact takes it; every state is its rebuild.
  void CheckRepo(const RepoName& repo, const std::vector<std::string>& branches);
  const Counts& counts() const { return counts_; }

 private:
  using Operation = storage::records::Operation;
  using Repository = storage::history::Repository;
  using Makers = std::map<std::string, Operation>;  // by the commit's hex id

  Makers FindMakers(const Repository& repository);
  void CheckMade(const Repository& repository, const Operation& operation);
  // Takes the branch's moves out of `makers`.
  void CheckMoves(const Repository& repository, const std::string& branch, Makers& makers);
  void CheckChain(const Repository& repository, const std::string& branch);
  void CheckSlots(const Repository& repository, const std::vector<EditId>& edits,
                  const CommitId& commit);
  const coordinator::core::StoredBase& BaseOf(const Repository& repository);

  storage::kv::KvStore& store_;
  const coordinator::core::StoreLayout layout_;
  std::map<RepoName, coordinator::core::StoredBase> bases_;
  std::map<std::pair<RepoName, StateId>, DeltaWorker::Roots> roots_;
  std::map<EditId, storage::objects::Slot> slots_;
  std::set<CommitId> chained_;  // checked, with all before them
  Counts counts_;
};

}  // namespace emend::test
