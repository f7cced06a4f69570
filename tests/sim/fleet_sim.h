// One coordinator, dozens of workers (some of them ranks of groups), four repos, and clients that
// submit thousands of operations, in virtual time, under faults drawn from a seed.
//
//   FleetSimulation simulation({.seed = 7, .groups = FleetOf(64), .operations = 10'000, .clients =
//       48});
//   // what is wrong is a failure of the running test
//   simulation.Run();
//   // the same seed gives the same events
//   EXPECT_EQ(simulation.digest(), other.digest());
//
// Clients commit (alone and in bursts that can be solved together), revert, evaluate, verify, count
// statistics, export, ask and have texts completed, with priorities and timeouts, send requests
// again under the same key, and cancel. Faults, for as long as operations are submitted: workers
// die, are mute for a while, partitioned, cut off, slow, lose their group, send frames of an older
// generation; the coordinator is stopped or killed, and starts again on what was synced.
//
// Checked while it runs: every answer and every piece of a text against a rebuild of the commit
// that it names, every end against what that kind may end with. Checked at the end:
// fleet_checks.cc, history_oracle.h. Its log goes to a file of its own, and nowhere afterwards.
#pragma once

#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "tests/sim/history_oracle.h"
#include "tests/support/seeded_random.h"
#include "tests/support/sim_cluster.h"
#include "tests/support/temporary_folder.h"

namespace emend::test {

// Groups with so many ranks in all: a third of them in groups of 2 and 4.
std::vector<int> FleetOf(int workers);

class FleetSimulation {
 public:
  struct Options {
    std::uint64_t seed = 1;
    std::vector<int> groups = FleetOf(64);
    int operations = 10'000;
    int clients = 48;
    // Evaluations that are submitted in one moment, to meet the bound of the queue. Of the
    // operations.
    int flood = 0;
  };
  using Counts = std::map<std::string, std::size_t>;

  explicit FleetSimulation(const Options& options);

  void Run();
  // Of all events, with their times.
  Digest digest();
  const std::vector<std::string>& events() { return cluster_.sim().events(); }
  // What happened how often, by name: "operations", "fault: mute", "answers", ...
  const Counts& counts() const { return counts_; }

 private:
  using Service = coordinator::server::Service;
  using Operation = storage::records::Operation;
  using Terms = SimCluster::Terms;
  using Task = std::shared_ptr<std::optional<int>>;

  // Takes what is logged while it lives.
  struct LogFile {
    LogFile();
    ~LogFile();
    std::string path() const { return folder.path() + "/log"; }
    const TemporaryFolder folder;
  };

  // What a client asks for.
  struct Wish {
    std::string kind;
    nlohmann::json body;
    std::string key;
    Terms terms;
  };

  // ---- what clients do (fleet_sim.cc)
  void ImportRepos();
  Awaitable<int> Client(int number);
  Awaitable<int> Act(std::string name);
  Awaitable<int> Carry(Wish wish);
  Awaitable<int> CarryBurst(std::string name);
  Awaitable<int> CarryFlood();
  // Sends the same again, and may cancel it then.
  Awaitable<int> Repeat(Wish wish, bool cancels);
  Awaitable<int> Ask(RepoName repo, std::string revision);
  Awaitable<int> CompleteText(RepoName repo, std::string revision);
  // Of these subjects.
  nlohmann::json DrawFacts(const std::string& name, std::size_t first_subject, std::size_t subjects,
                           std::size_t count);
  Wish DrawWish(const std::string& name);
  Terms DrawTerms();
  RepoName DrawRepo();
  std::string DrawBranch();
  std::string DrawRevision(const RepoName& repo);
  Awaitable<int> All(std::vector<Task> tasks);

  // ---- faults (fleet_faults.cc)
  Awaitable<int> MakeFaults();
  void MakeFault(std::size_t victim);
  Awaitable<int> StopCoordinator();
  // What lasts a while ends.
  Awaitable<int> RecoverLater(std::size_t victim);
  Awaitable<int> SendOldFrames(std::size_t victim);
  void Recover(std::size_t victim);

  // ---- checks (fleet_checks.cc)
  void CheckEnd(const Operation& operation, const Wish& wish);
  void CheckText(const RepoName& repo, const CommitId& commit, const StateId& state,
                 const std::string& text);
  void CheckRefused(const Status& status);
  // What clients saw is what is on record, and each operation was ended by one entry of the audit
  // chain.
  void CheckRecords();
  // No generation of a group is given out twice; a worker's only rise.
  void CheckGenerations();
  // No two runs moved a branch at once; none found that the branch had moved; queue bounds held.
  void CheckLog();
  void CheckFsck();

  std::size_t Draw(std::size_t bound) { return choices_.Below(bound); }
  bool OneIn(std::size_t count) { return Draw(count) == 0; }

  const Options options_;
  SeededRandom choices_;
  SeededRandom faults_;
  const LogFile log_;
  SimCluster cluster_;
  HistoryOracle oracle_;
  int left_ = 0;                               // operations still to be submitted
  std::map<OperationId, Operation> ended_;     // as a client saw it
  std::map<std::string, OperationId> by_key_;  // idempotency keys
  std::set<std::string> cancelled_keys_;
  std::vector<Task> repeats_;
  Counts counts_;
};

}  // namespace emend::test
