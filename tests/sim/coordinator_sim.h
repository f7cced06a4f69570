// The whole coordinator (service, journal, history, queue, jobs, membership), three workers and
// four clients in virtual time, under faults drawn from a seed.
//
//   CoordinatorSimulation simulation(/*seed=*/7);
//   // the same seed gives the same events, commit ids included
//   const std::vector<std::string> events = simulation.Run();
//   EXPECT_GT(simulation.counts().commits, 0);
//
// Clients commit to two branches with priorities and timeouts drawn from the seed, at times several
// commits at once.
//
// Faults: workers die (and forget), are cut off, partitioned or mute; the coordinator stops and
// starts again on what a power cut would have left of its store. Checked while it runs: every
// answer against an independent rebuild of the commit that it names, every end of an operation
// against what that kind may end with. Checked at the end: every operation ended, every commit made
// exactly once, by its own operation and of its own facts, in order of acceptance on its branch;
// every state equal to its rebuild; fsck and verify without a complaint.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "coordinator/answers/ask.h"
#include "tests/sim/history_oracle.h"
#include "tests/support/seeded_random.h"
#include "tests/support/sim_cluster.h"

namespace emend::test {

class CoordinatorSimulation {
 public:
  struct Counts {
    int answers = 0;   // checked against a rebuild
    int failures = 0;  // operations that ended with an allowed failure
    int overdue = 0;   // of these, because their time was up
    int restarts = 0;  // of the coordinator
    int resumed = 0;   // operations that a restart found unfinished
  };

  explicit CoordinatorSimulation(std::uint64_t seed);

  std::vector<std::string> Run();
  const Counts& counts() const { return counts_; }
  const HistoryOracle::Counts& history() const { return oracle_.counts(); }

 private:
  using Service = coordinator::server::Service;
  using Operation = storage::records::Operation;

  // ---- what clients do
  Awaitable<int> Client(int number);
  Awaitable<int> Act(int client, int step);
  Awaitable<int> Ask();
  Awaitable<int> Reset();
  Awaitable<int> Complete(std::string kind, nlohmann::json body, std::string key);
  // Several commits to one branch, submitted without waiting for each other.
  Awaitable<int> CompleteBurst(int client, int step);
  nlohmann::json DrawCommit(const std::string& name, const std::string& branch);
  std::string DrawBranch() { return Draw(3) == 0 ? "side" : "main"; }
  std::string DrawRevision();
  SimCluster::Terms DrawTerms();
  void MakeSideBranch();

  // ---- faults
  Awaitable<int> MakeFaults();
  Awaitable<int> RestartCoordinator();
  void Heal();

  // ---- checks
  void CheckEnd(const Operation& operation);
  void CheckAnswer(const coordinator::answers::AskAnswer& answer);

  std::size_t Draw(std::size_t bound) { return choices_.Below(bound); }

  SeededRandom choices_;
  SeededRandom faults_;
  SimCluster cluster_;
  HistoryOracle oracle_;
  Counts counts_;
};

}  // namespace emend::test
