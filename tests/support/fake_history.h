// FakeHistory: a store in memory as the fake service shows it. One repo "atlas" with three commits
// "commit number 0" to "2" on main, the branch "team/french" and the tag "v1" at number 1; the
// tokens "admin-secret" (every scope), "reader-secret" (read) and t-0123456789ab (of nobody);
// covariances "s1", a preset, the probe suite "core". Always the same ids.
#pragma once

#include <memory>
#include <vector>

#include "tests/support/memory_history.h"

namespace emend::test {

class FakeHistory {
 public:
  FakeHistory();

  // Another way to it, through `store`, which leads to store().
  std::unique_ptr<storage::records::Journal> NewJournal(storage::kv::KvStore& store);
  MemoryKv& store() { return *history_.store_; }
  const std::vector<CommitId>& commits() const { return commits_; }
  static storage::objects::Fact SomeFact();

  static constexpr std::int64_t kTime = 1'769'860'800'000;  // 2026-01-31T12:00:00Z

 private:
  CommitId Edit(int number);
  void PutTokens();

  storage::history::test::MemoryHistory history_{kTime};
  std::vector<CommitId> commits_;
};

}  // namespace emend::test
