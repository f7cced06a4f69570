#include "tests/sim/coordinator_sim.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <set>

#include "coordinator/core/model_import.h"
#include "coordinator/core/state_builder.h"
#include "storage/history/fsck.h"
#include "tests/support/status_matchers.h"

namespace emend::test {
namespace {

using namespace std::chrono_literals;
using coordinator::server::AskAnswer;
using coordinator::server::AskRequest;
using coordinator::server::Coordinator;
using coordinator::server::OperationView;
using coordinator::server::RefMove;
using coordinator::server::Submission;
using nlohmann::json;
using storage::history::Repository;
using storage::records::OperationState;

constexpr int kWorkers = 3;
constexpr int kClients = 4;
constexpr int kStepsOfOneClient = 10;
constexpr int kSubjects = 12;  // few, so that commits supersede each other
constexpr auto kFaultyTime = 40s;
constexpr auto kPause = 100ms;
const RepoName kRepo("small");

// How an operation may fail while workers and coordinator come and go, and clients revert and reset under each other.
bool MayFailWith(const std::string& kind, const std::string& slug) {
  static const std::set<std::string> kByFaults = {"worker_lost", "no_worker", "deadline_exceeded", "stale_head"};
  static const std::set<std::string> kOfRevert = {"nothing_to_revert", "failed_precondition"};
  return kByFaults.contains(slug) || (kind == "revert" && kOfRevert.contains(slug));
}

Awaitable<bool> Ended(Awaitable<void> task) {
  co_await std::move(task);
  co_return true;
}

}  // namespace

CoordinatorSimulation::CoordinatorSimulation(std::uint64_t seed) : sim_(seed), choices_(seed + 1000), faults_(seed + 2000), store_(storage::kv::NewMemoryKv()) {
  EXPECT_THAT(WriteSmallModel(folder_.path() + "/model", seed), IsOk());
  worker::protocol::MemoryNetworkOptions network;
  network.seed = seed;
  network.observer = [this](std::string_view event) { sim_.Record(event); };
  network_ = worker::protocol::NewMemoryNetwork(sim_, std::move(network));
  coordinator_host_ = network_->Host("coordinator");
  StartCoordinator();
  for (int i = 0; i < kWorkers; ++i) AddWorker(i);
}

CoordinatorSimulation::~CoordinatorSimulation() = default;

void CoordinatorSimulation::StartCoordinator() {
  const coordinator::server::Environment environment{&sim_, &file_system_, store_.get(), coordinator_host_.get()};
  coordinator::server::CoordinatorOptions options;
  options.folder = folder_.path() + "/store";
  options.worker_address = "coordinator:1";
  options.model_roots = {folder_.path()};
  auto started = Coordinator::Start(environment, options);
  ASSERT_THAT(started, IsOk());
  coordinator_ = std::move(started).value();
}

Awaitable<void> CoordinatorSimulation::StopCoordinator() {
  restarting_ = true;
  co_await coordinator_->Stop();
  while (calls_ > 0) co_await Sleep(sim_, 10ms);
  coordinator_.reset();
}

Awaitable<int> CoordinatorSimulation::RestartCoordinator() {
  sim_.Record("coordinator stops");
  co_await StopCoordinator();
  store_->LoseUnsynced();
  const auto unfinished = storage::records::ListUnfinished(*store_, 1000);
  counts_.resumed += static_cast<int>(unfinished->size());
  ++counts_.restarts;
  co_await Sleep(sim_, std::chrono::milliseconds(faults_.Below(3000)));
  StartCoordinator();
  restarting_ = false;
  sim_.Record("coordinator starts with " + std::to_string(unfinished->size()) + " unfinished");
  co_return 0;
}

void CoordinatorSimulation::AddWorker(int number) {
  auto node = std::make_unique<Node>();
  FakeWorkerOptions options;
  options.name = "w" + std::to_string(number);
  options.group = "g" + std::to_string(number);
  options.token = file_system_.Read(coordinator_->worker_token_file()).value();
  while (options.token.ends_with('\n')) options.token.pop_back();
  options.work = 150ms;
  options.observer = [this](std::string_view event) { sim_.Record(event); };
  node->host = network_->Host(options.name);
  node->worker = std::make_unique<FakeWorker>(sim_, *node->host, std::move(options));
  node->worker->OnRequest([model = &node->model](const worker::protocol::RequestBody& request) { return model->Answer(request); });
  node->worker->Start();
  workers_.push_back(std::move(node));
}

CoordinatorSimulation::Service* CoordinatorSimulation::Enter() {
  if (restarting_) return nullptr;
  ++calls_;
  return coordinator_.get();
}

// ---- what clients do ----------------------------------------------------------------------------------------------------------------------------------------

Awaitable<CoordinatorSimulation::Operation> CoordinatorSimulation::Complete(std::string kind, json body, std::string key) {
  Submission submission{kind, kRepo, body.dump(), key, Sha256(kind + body.dump())};
  OperationView view;
  while (view.operation.id.value().empty()) {
    Service* const service = Enter();
    if (service != nullptr) {
      Result<OperationView> accepted = co_await service->Submit(caller_, submission);
      Leave();
      EXPECT_TRUE(accepted.ok() || accepted.status().code() == StatusCode::kUnavailable) << accepted.status().ToString();
      if (accepted.ok()) view = std::move(accepted).value();
    }
    co_await Sleep(sim_, kPause);
  }
  while (view.operation.finished_ms == 0) {
    Service* const service = Enter();
    if (service != nullptr) {
      Result<OperationView> changed = co_await service->WaitForChange(view.operation.id, view.version, sim_.clock().Now() + 1s);
      Leave();
      EXPECT_THAT(changed, IsOk());
      if (changed.ok()) view = std::move(changed).value();
    }
    if (service == nullptr) co_await Sleep(sim_, kPause);
  }
  CheckEnd(view.operation);
  co_return view.operation;
}

Awaitable<int> CoordinatorSimulation::Setup() {
  const std::string token = file_system_.Read(coordinator_->admin_token_file()).value();
  const Result<coordinator::server::Caller> caller = co_await coordinator_->Authenticate(token.substr(0, token.find('\n')));
  EXPECT_THAT(caller, IsOk());
  caller_ = *caller;
  json import = {{"model", folder_.path() + "/model"}, {"message", "Import a small model"}};  // a message of its own: the default one names the folder
  const Operation imported = co_await Complete("import", import, "");
  json lines = {{"lines", {"one line", "another"}}};
  const Operation counted = co_await Complete("statistics", lines, "");
  EXPECT_EQ(imported.state, OperationState::kSucceeded);
  EXPECT_EQ(counted.state, OperationState::kSucceeded) << counted.error_message;
  co_return 0;
}

json CoordinatorSimulation::DrawCommit(int client, int step) {
  json facts = json::array();
  std::set<std::size_t> subjects;
  for (std::size_t i = 0; i <= Draw(3); ++i) subjects.insert(Draw(kSubjects));
  for (const std::size_t subject : subjects) {
    const std::string target = "target " + std::to_string(client) + "." + std::to_string(step);
    facts.push_back({{"prompt", "{} is"}, {"subject", "subject " + std::to_string(subject)}, {"target", target}});
  }
  return {{"branch", "main"}, {"facts", facts}, {"evaluate", Draw(2) == 0}, {"settings", {{"layers", "0,1"}}}};
}

std::string CoordinatorSimulation::DrawRevision() {
  const Result<Repository> repository = Repository::Open(*store_, kRepo);
  const CommitId head = repository->Resolve("main").value();
  const auto log = repository->Log(head, 6).value();
  return log[Draw(log.size())].id.Hex();
}

Awaitable<int> CoordinatorSimulation::Ask() {
  Service* const service = Enter();
  if (service == nullptr) co_return 0;
  AskRequest request{kRepo, DrawRevision(), "prompt", 4, 5};
  const Result<AskAnswer> answer = co_await service->Ask(caller_, request);
  Leave();
  if (answer.ok()) CheckAnswer(*answer);
  if (!answer.ok()) {
    static const std::set<std::string> kAllowed = {"worker_lost", "no_worker", "deadline_exceeded", "state_not_live", "base_not_loaded", "cancelled"};
    EXPECT_TRUE(kAllowed.contains(answer.status().slug())) << answer.status().ToString();
  }
  sim_.Record("ask " + (answer.ok() ? answer->state.Short() : answer.status().slug()));
  co_return 0;
}

Awaitable<int> CoordinatorSimulation::Reset() {
  Service* const service = Enter();
  if (service == nullptr) co_return 0;
  RefMove move;
  move.repo = kRepo;
  move.name = "main";
  move.expected = Repository::Open(*store_, kRepo)->Resolve("main").value();
  move.revision = DrawRevision();
  const Result<storage::history::Ref> moved = co_await service->MoveRef(caller_, move);
  Leave();
  EXPECT_TRUE(moved.ok() || moved.status().slug() == "stale_head") << moved.status().ToString();
  sim_.Record("reset " + (moved.ok() ? moved->commit.Short() : moved.status().slug()));
  co_return 0;
}

Awaitable<int> CoordinatorSimulation::Act(int client, int step) {
  const std::string key = std::to_string(client) + "." + std::to_string(step);
  const std::size_t choice = Draw(10);
  std::string kind = "commit";
  json body;
  if (choice < 4) {
    body = DrawCommit(client, step);
  } else if (choice == 4) {
    kind = "revert";
    body = {{"branch", "main"}, {"commit", DrawRevision()}};
  } else if (choice == 5) {
    kind = "verify";
    body = {{"revision", DrawRevision()}};
  } else if (choice == 6) {
    kind = "evaluation";
    body = {{"revision", DrawRevision()}, {"facts", DrawCommit(client, step)["facts"]}};
  }
  if (choice == 9 && step % 3 == 0) co_return co_await Reset();
  if (choice >= 7) co_return co_await Ask();
  co_await Complete(kind, body, key);
  co_return 0;
}

Awaitable<int> CoordinatorSimulation::Client(int number) {
  for (int step = 0; step < kStepsOfOneClient; ++step) {
    co_await Sleep(sim_, std::chrono::milliseconds(Draw(2000)));
    co_await Act(number, step);
  }
  co_return 0;
}

// ---- faults -------------------------------------------------------------------------------------------------------------------------------------------------

Awaitable<int> CoordinatorSimulation::MakeFaults() {
  const auto end = sim_.elapsed() + kFaultyTime;
  while (sim_.elapsed() < end) {
    co_await Sleep(sim_, std::chrono::milliseconds(200 + faults_.Below(3000)));
    const std::size_t victim = faults_.Below(kWorkers);
    Node& node = *workers_[victim];
    const std::string host = "w" + std::to_string(victim);
    switch (faults_.Below(7)) {
      case 0:
        node.model.Forget();
        node.worker->Die();
        break;
      case 1: network_->Cut(host); break;
      case 2: network_->Partition(host); break;
      case 3: network_->Heal(host); break;
      case 4: node.worker->SetVoice(FakeWorker::Voice::kMute); break;
      case 5: node.worker->SetVoice(FakeWorker::Voice::kHeard); break;
      default: co_await RestartCoordinator();
    }
  }
  Heal();
  co_return 0;
}

void CoordinatorSimulation::Heal() {
  for (std::size_t i = 0; i < workers_.size(); ++i) {
    network_->Heal("w" + std::to_string(i));
    workers_[i]->worker->SetVoice(FakeWorker::Voice::kHeard);
  }
}

// ---- checks -------------------------------------------------------------------------------------------------------------------------------------------------

DeltaWorker::Roots CoordinatorSimulation::Rebuild(const Repository& repository, const StateId& state) const {
  const coordinator::core::StoreLayout layout{folder_.path() + "/store", {}};
  const auto base = coordinator::core::OpenBase(layout, repository.record().base);
  const auto edits = repository.Edits(state);
  const auto deltas = coordinator::core::LoadDeltas(repository.objects(), *edits);
  const auto tensors = coordinator::core::RebuildTensors(**base, *deltas);
  DeltaWorker::Roots roots;
  for (const auto& [name, tensor] : *tensors) roots[name] = tensor.digest;
  return roots;
}

void CoordinatorSimulation::CheckAnswer(const AskAnswer& answer) {
  const Result<Repository> repository = Repository::Open(*store_, kRepo);
  EXPECT_EQ(repository->ReadCommit(answer.commit)->state, answer.state);
  EXPECT_EQ(answer.text, DeltaWorker::TextOf(Rebuild(*repository, answer.state))) << "an answer from other bytes than those of commit " << answer.commit.Hex();
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
    EXPECT_TRUE(MayFailWith(operation.kind, operation.error_slug)) << operation.kind << ": " << operation.error_slug << ": " << operation.error_message;
  }
  sim_.Record(operation.id.value() + " " + operation.kind + " " + what);
}

void CoordinatorSimulation::CheckOperations(const Repository& repository) {
  std::map<std::string, int> moves;
  const std::vector<storage::history::ReflogEntry> reflog = repository.Reflog("main", 10'000).value();
  for (const auto& entry : reflog) {
    if (!entry.reason.starts_with("reset")) ++moves[entry.to.Hex()];
  }
  const std::vector<Operation> operations = storage::records::ListOperations(*store_, {}, 10'000).value();
  for (const Operation& operation : operations) {
    EXPECT_NE(operation.finished_ms, 0) << operation.id.value();
    if (operation.state != OperationState::kSucceeded || (operation.kind != "commit" && operation.kind != "revert")) continue;
    const json result = json::parse(operation.result);
    if (operation.kind == "commit" && result["edits"] == 0) continue;  // everything was held already
    EXPECT_EQ(moves[result["commit"]], 1) << operation.id.value() << " was acknowledged and is in the branch's log " << moves[result["commit"]] << " times";
    moves.erase(result["commit"]);
    ++(operation.kind == "commit" ? counts_.commits : counts_.reverts);
  }
  EXPECT_EQ(moves.size(), 1U) << "the import is the only move that no operation of these made";
}

void CoordinatorSimulation::CheckHistory() {
  const Result<Repository> repository = Repository::Open(*store_, kRepo);
  CheckOperations(*repository);
  const std::vector<storage::history::ReflogEntry> reflog = repository->Reflog("main", 10'000).value();
  std::set<std::string> heads;
  for (const auto& entry : reflog) heads.insert(entry.to.Hex());
  for (const std::string& head : heads) {
    const StateId state = repository->ReadCommit(CommitId(Digest::FromHex(head).value()))->state;
    EXPECT_EQ(repository->objects().ReadManifest(state)->roots, Rebuild(*repository, state)) << head;
  }
}

std::vector<std::string> CoordinatorSimulation::Run() {
  const auto setup = sim_.Begin(Setup());
  EXPECT_TRUE(sim_.RunUntil([&] { return setup->has_value(); }, 1min));
  std::vector<std::shared_ptr<std::optional<int>>> tasks = {sim_.Begin(MakeFaults())};
  for (int client = 0; client < kClients; ++client) tasks.push_back(sim_.Begin(Client(client)));
  const auto all_ended = [&] { return std::ranges::all_of(tasks, [](const auto& task) { return task->has_value(); }); };
  EXPECT_TRUE(sim_.RunUntil(all_ended, 1h)) << "somebody waits for ever";
  const auto checked = sim_.Begin(Complete("fsck", json::object(), ""));
  EXPECT_TRUE(sim_.RunUntil([&] { return checked->has_value(); }, 10min));
  const auto report = json::parse((*checked)->result);
  EXPECT_TRUE(report["ok"]) << report.dump();
  const json head = {{"revision", "main"}};
  const auto verified = sim_.Begin(Complete("verify", head, ""));
  EXPECT_TRUE(sim_.RunUntil([&] { return verified->has_value(); }, 10min));
  CheckHistory();
  for (const auto& node : workers_) sim_.Await(Ended(node->worker->Stop()));
  sim_.Await(Ended(StopCoordinator()));
  sim_.RunFor(1min);
  return sim_.events();
}

}  // namespace emend::test
