#include "tests/sim/coordinator_sim.h"

#include <gtest/gtest.h>

#include <set>

#include "storage/history/fsck.h"

namespace emend::test {
namespace {

using namespace std::chrono_literals;
using coordinator::answers::AskAnswer;
using coordinator::answers::AskRequest;
using coordinator::store::RefMove;
using nlohmann::json;
using storage::history::Repository;
using storage::records::Operation;
using storage::records::OperationState;

constexpr int kWorkers = 3;
constexpr int kClients = 4;
constexpr int kStepsOfOneClient = 10;
constexpr int kSubjects = 12;  // few, so that commits supersede each other
constexpr int kBurst = 4;
constexpr auto kFaultyTime = 40s;

// How an operation may fail while workers and coordinator come and go, and clients revert and reset
// under each other.
bool MayFailWith(const Operation& operation) {
  const std::string& slug = operation.error_slug;
  static const std::set<std::string> kByFaults = {"worker_lost", "no_worker", "deadline_exceeded",
                                                  "stale_head"};
  static const std::set<std::string> kOfRevert = {"nothing_to_revert", "failed_precondition"};
  if (slug == "deadline_passed")
    return operation.deadline_ms != 0 && operation.finished_ms >= operation.deadline_ms;
  return kByFaults.contains(slug) || (operation.kind == "revert" && kOfRevert.contains(slug));
}

}  // namespace

CoordinatorSimulation::CoordinatorSimulation(std::uint64_t seed)
    : choices_(seed + 1000),
      faults_(seed + 2000),
      cluster_(seed, kWorkers),
      oracle_(cluster_.store(), cluster_.layout()) {}

// ---- what clients do ---------------------------------------------------------------------------

Awaitable<int> CoordinatorSimulation::Complete(std::string kind, json body, std::string key) {
  const SimCluster::Terms terms = DrawTerms();
  const Operation ended = co_await cluster_.Complete(kind, std::move(body), key, terms);
  CheckEnd(ended);
  co_return 0;
}

SimCluster::Terms CoordinatorSimulation::DrawTerms() {
  SimCluster::Terms terms;
  terms.priority = static_cast<storage::records::Priority>(1 + Draw(3));
  if (Draw(5) == 0) terms.timeout = std::chrono::seconds(1 + Draw(20));
  return terms;
}

Awaitable<int> CoordinatorSimulation::CompleteBurst(int client, int step) {
  const std::string branch = DrawBranch();
  std::vector<std::shared_ptr<std::optional<int>>> tasks;
  for (int i = 0; i < kBurst; ++i) {
    const std::string name =
        std::to_string(client) + "." + std::to_string(step) + "." + std::to_string(i);
    tasks.push_back(cluster_.sim().Begin(Complete("commit", DrawCommit(name, branch), name)));
  }
  const auto all_ended = [&] {
    return std::ranges::all_of(tasks, [](const auto& task) { return task->has_value(); });
  };
  while (!all_ended()) co_await Sleep(cluster_.sim(), 100ms);
  co_return 0;
}

// `name` is in every target: whose fact it is can be told from the edit.
json CoordinatorSimulation::DrawCommit(const std::string& name, const std::string& branch) {
  json facts = json::array();
  std::set<std::size_t> subjects;
  for (std::size_t i = 0; i <= Draw(3); ++i) subjects.insert(Draw(kSubjects));
  for (const std::size_t subject : subjects) {
    facts.push_back({{"prompt", "{} is"},
                     {"subject", "subject " + std::to_string(subject)},
                     {"target", "target " + name}});
  }
  return {{"branch", branch},
          {"facts", facts},
          {"evaluate", Draw(4) != 0},
          {"settings", {{"layers", "0,1"}}}};
}

std::string CoordinatorSimulation::DrawRevision() {
  const Result<Repository> repository = Repository::Open(cluster_.store(), SimCluster::kRepo);
  const CommitId head = repository->Resolve(DrawBranch()).value();
  const auto log = repository->Log(head, 6).value();
  return log[Draw(log.size())].id.Hex();
}

Awaitable<int> CoordinatorSimulation::Ask() {
  Service* const service = cluster_.Enter();
  if (service == nullptr) co_return 0;
  AskRequest request{SimCluster::kRepo, DrawRevision(), "prompt", 1, 5};
  const Result<AskAnswer> answer =
      co_await coordinator::answers::Ask(*service, cluster_.admin(), request);
  cluster_.Leave();
  if (answer.ok()) CheckAnswer(*answer);
  if (!answer.ok()) {
    static const std::set<std::string> kAllowed = {"worker_lost",       "no_worker",
                                                   "deadline_exceeded", "state_not_live",
                                                   "base_not_loaded",   "cancelled",
                                                   "stopping"};
    EXPECT_TRUE(kAllowed.contains(answer.status().slug())) << answer.status().ToString();
  }
  cluster_.sim().Record("ask " + (answer.ok() ? answer->state.Short() : answer.status().slug()));
  co_return 0;
}

Awaitable<int> CoordinatorSimulation::Reset() {
  Service* const service = cluster_.Enter();
  if (service == nullptr) co_return 0;
  RefMove move;
  move.repo = SimCluster::kRepo;
  move.name = DrawBranch();
  move.expected = Repository::Open(cluster_.store(), SimCluster::kRepo)->Resolve(move.name).value();
  move.revision = DrawRevision();
  const Result<storage::history::Ref> moved = co_await Blocking(cluster_.sim(), [&] {
    return coordinator::store::MoveRef(service->journal(), cluster_.admin(), move);
  });
  cluster_.Leave();
  EXPECT_TRUE(moved.ok() || moved.status().slug() == "stale_head") << moved.status().ToString();
  cluster_.sim().Record("reset " + (moved.ok() ? moved->commit.Short() : moved.status().slug()));
  co_return 0;
}

Awaitable<int> CoordinatorSimulation::Act(int client, int step) {
  const std::string key = std::to_string(client) + "." + std::to_string(step);
  const std::size_t choice = Draw(10);
  std::string kind = "commit";
  json body;
  if (choice == 0) co_return co_await CompleteBurst(client, step);
  if (choice < 4) {
    body = DrawCommit(key, DrawBranch());
  } else if (choice == 4) {
    kind = "revert";
    body = {{"branch", DrawBranch()}, {"commit", DrawRevision()}};
  } else if (choice == 5) {
    kind = "verify";
    body = {{"revision", DrawRevision()}};
  } else if (choice == 6) {
    kind = "evaluation";
    body = {{"revision", DrawRevision()}, {"facts", DrawCommit(key, "main")["facts"]}};
  }
  if (choice == 9 && step % 3 == 0) co_return co_await Reset();
  if (choice >= 7) co_return co_await Ask();
  co_await Complete(kind, body, key);
  co_return 0;
}

Awaitable<int> CoordinatorSimulation::Client(int number) {
  for (int step = 0; step < kStepsOfOneClient; ++step) {
    co_await Sleep(cluster_.sim(), std::chrono::milliseconds(Draw(2000)));
    co_await Act(number, step);
  }
  co_return 0;
}

// ---- faults ------------------------------------------------------------------------------------

Awaitable<int> CoordinatorSimulation::RestartCoordinator() {
  cluster_.sim().Record("coordinator restarts");
  const auto pause = std::chrono::milliseconds(faults_.Below(3000));
  ++counts_.restarts;
  co_await cluster_.RestartAfter(pause);
  const auto unfinished = storage::records::ListUnfinished(cluster_.store());
  counts_.resumed += static_cast<int>(unfinished->size());
  co_return 0;
}

Awaitable<int> CoordinatorSimulation::MakeFaults() {
  const auto end = cluster_.sim().elapsed() + kFaultyTime;
  while (cluster_.sim().elapsed() < end) {
    co_await Sleep(cluster_.sim(), std::chrono::milliseconds(200 + faults_.Below(3000)));
    const std::size_t victim = faults_.Below(kWorkers);
    SimCluster::Node& node = cluster_.worker(victim);
    const std::string host = "w" + std::to_string(victim);
    switch (faults_.Below(7)) {
      case 0:
        node.model.Forget();
        node.worker->Die();
        break;
      case 1: cluster_.network().Cut(host); break;
      case 2: cluster_.network().Partition(host); break;
      case 3: cluster_.network().Heal(host); break;
      case 4: node.worker->SetVoice(FakeWorker::Voice::kMute); break;
      case 5: node.worker->SetVoice(FakeWorker::Voice::kHeard); break;
      default: co_await RestartCoordinator();
    }
  }
  Heal();
  co_return 0;
}

void CoordinatorSimulation::Heal() {
  for (std::size_t i = 0; i < cluster_.workers(); ++i) {
    cluster_.network().Heal("w" + std::to_string(i));
    cluster_.worker(i).worker->SetVoice(FakeWorker::Voice::kHeard);
  }
}

// ---- checks ------------------------------------------------------------------------------------

void CoordinatorSimulation::CheckAnswer(const AskAnswer& answer) {
  const Result<Repository> repository = Repository::Open(cluster_.store(), SimCluster::kRepo);
  EXPECT_EQ(repository->ReadCommit(answer.commit)->state, answer.state);
  EXPECT_EQ(answer.text, " " + oracle_.TextOf(SimCluster::kRepo, answer.state))
      << "an answer from other bytes than those of commit " << answer.commit.Hex();
  ++counts_.answers;
}

void CoordinatorSimulation::CheckEnd(const Operation& operation) {
  std::string what = operation.error_slug;
  if (operation.state == OperationState::kSucceeded) {
    const json result = json::parse(operation.result);
    what = result.value("commit", "done").substr(0, 12);
    EXPECT_TRUE(operation.kind != "verify" || result["ok"]) << operation.result;
  } else {
    ++counts_.failures;
    counts_.overdue += operation.error_slug == "deadline_passed" ? 1 : 0;
    EXPECT_TRUE(MayFailWith(operation))
        << operation.kind << ": " << operation.error_slug << ": " << operation.error_message;
  }
  cluster_.sim().Record(operation.id.value() + " " + operation.kind + " " + what);
}

void CoordinatorSimulation::MakeSideBranch() {
  EXPECT_TRUE(cluster_.MoveRef({.name = "side", .revision = "main"}).ok());
}

std::vector<std::string> CoordinatorSimulation::Run() {
  SimRuntime& sim = cluster_.sim();
  EXPECT_EQ(cluster_.Run("import", cluster_.ImportBody()).state, OperationState::kSucceeded);
  EXPECT_EQ(cluster_.Run("statistics", cluster_.StatisticsBody()).state,
            OperationState::kSucceeded);
  MakeSideBranch();
  std::vector<std::shared_ptr<std::optional<int>>> tasks = {sim.Begin(MakeFaults())};
  for (int client = 0; client < kClients; ++client) tasks.push_back(sim.Begin(Client(client)));
  const auto all_ended = [&] {
    return std::ranges::all_of(tasks, [](const auto& task) { return task->has_value(); });
  };
  EXPECT_TRUE(sim.RunUntil(all_ended, 1h)) << "somebody waits for ever";
  const Operation checked = cluster_.Run("fsck", json::object());
  EXPECT_TRUE(json::parse(checked.result)["ok"]) << checked.result;
  CheckEnd(cluster_.Run("verify", {{"revision", "main"}}));
  oracle_.CheckRepo(SimCluster::kRepo, {"main", "side"});
  return sim.events();
}

}  // namespace emend::test
