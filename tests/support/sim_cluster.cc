#include "tests/support/sim_cluster.h"

#include <limits>

#include "storage/base/check.h"
#include "tests/support/ended.h"
#include "tests/support/memory_kv.h"
#include "tests/support/memory_transport.h"

namespace emend::test {
namespace {

using namespace std::chrono_literals;
using coordinator::server::Coordinator;
using coordinator::server::OperationView;
using coordinator::server::Submission;
using nlohmann::json;

constexpr auto kPause = 100ms;

std::string FirstLine(const std::string& text) { return text.substr(0, text.find('\n')); }

}  // namespace

SimCluster::SimCluster(const Options& options) : sim_(options.seed), store_(NewMemoryKv()) {
  const Status written = WriteSmallModel(folder_.path() + "/model", options.seed);
  EMEND_CHECK(written.ok(), written.ToString());
  MemoryNetworkOptions network;
  network.seed = options.seed;
  network.latency_max = options.latency_max;
  network.observer = [this](std::string_view event) { sim_.Record(event); };
  network_ = NewMemoryNetwork(sim_, std::move(network));
  coordinator_host_ = network_->Host("coordinator");
  StartCoordinator();
  for (const int ranks : options.groups) AddGroup(ranks);
  const std::string secret = FirstLine(file_system_.Read(coordinator_->admin_token_file()).value());
  const auto caller = sim_.Await(coordinator_->Authenticate(secret));
  EMEND_CHECK(caller.has_value() && caller->ok(), "the first token is not known");
  admin_ = **caller;
}

SimCluster::~SimCluster() {
  for (const auto& node : workers_) sim_.Await(Ended(node->worker->Stop()));
  if (coordinator_) sim_.Await(Ended(StopCoordinator()));
  sim_.RunFor(1min);
}

storage::history::Repository SimCluster::repo() {
  return std::move(storage::history::Repository::Open(*store_, kRepo)).value();
}

Result<storage::history::Ref> SimCluster::MoveRef(coordinator::store::RefMove move) {
  if (move.repo.value().empty()) move.repo = kRepo;
  return coordinator::store::MoveRef(coordinator_->journal(), admin_, move);
}

json SimCluster::ImportBody() const {
  // a message of its own: the default one names the folder
  return {{"model", folder_.path() + "/model"}, {"message", "Import a small model"}};
}

json SimCluster::ImportBody(const RepoName& repo, std::uint64_t seed) const {
  const std::string model = folder_.path() + "/model-" + repo.value();
  const Status written = WriteSmallModel(model, seed);
  EMEND_CHECK(written.ok(), written.ToString());
  return {{"model", model}, {"message", "Import the model of " + repo.value()}};
}

void SimCluster::StartCoordinator() {
  const coordinator::server::Environment environment{&sim_, &file_system_, store_.get(),
                                                     coordinator_host_.get()};
  coordinator::server::CoordinatorOptions options;
  options.folder = folder_.path() + "/store";
  options.worker_address = "coordinator:1";
  options.model_roots = {folder_.path()};
  auto started = Coordinator::Start(environment, options);
  EMEND_CHECK(started.ok(), started.status().ToString());
  coordinator_ = std::move(started).value();
  stopped_ = false;
}

Awaitable<void> SimCluster::StopCoordinator() {
  stopped_ = true;
  const bool ended = co_await coordinator_->Stop();
  EMEND_CHECK(ended, "the coordinator left work behind");
  while (calls_ > 0) co_await Sleep(sim_, 10ms);
  coordinator_.reset();
}

Awaitable<int> SimCluster::RestartAfter(std::chrono::milliseconds pause) {
  co_await StopCoordinator();
  store_->LoseUnsynced();
  co_await Sleep(sim_, pause);
  StartCoordinator();
  co_return 0;
}

Awaitable<int> SimCluster::KillFor(std::chrono::milliseconds pause) {
  ++life_;
  store_->FailNextWrites(std::numeric_limits<int>::max(), Unavailable("the process is dead"));
  network_->Cut("coordinator");
  network_->Partition("coordinator");
  co_await StopCoordinator();
  store_->FailNextWrites(0, OkStatus());
  store_->LoseUnsynced();
  co_await Sleep(sim_, pause);
  network_->Heal("coordinator");
  StartCoordinator();
  co_return 0;
}

void SimCluster::Restart() {
  const auto restarted = sim_.Await(RestartAfter(1s));
  EMEND_CHECK(restarted.has_value(), "the coordinator did not stop");
}

void SimCluster::AddGroup(int ranks) {
  const std::string group = "g" + std::to_string(groups_++);
  for (int rank = 0; rank < ranks; ++rank) AddWorker(group, rank, ranks);
}

void SimCluster::AddWorker(const std::string& group, int rank, int world_size) {
  auto node = std::make_unique<Node>();
  node->name = "w" + std::to_string(workers_.size());
  node->group = group;
  node->rank = rank;
  node->world_size = world_size;
  FakeWorkerOptions options;
  options.name = node->name;
  options.group = group;
  options.rank = rank;
  options.world_size = world_size;
  options.token = FirstLine(file_system_.Read(coordinator_->worker_token_file()).value());
  options.work = 150ms;
  options.observer = [this](std::string_view event) { sim_.Record(event); };
  node->host = network_->Host(options.name);
  node->worker = std::make_unique<FakeWorker>(sim_, *node->host, std::move(options));
  node->worker->OnRequest([model = &node->model](const worker::protocol::RequestBody& request) {
    return model->Answer(request);
  });
  node->worker->Start();
  workers_.push_back(std::move(node));
}

SimCluster::Service* SimCluster::Enter() {
  if (stopped_) return nullptr;
  ++calls_;
  return coordinator_.get();
}

Awaitable<OperationView> SimCluster::Accept(std::string kind, json body, std::string key,
                                            Terms terms) {
  const std::string text = body.dump();
  const Submission submission{
      kind,           terms.repo,   text, key, Sha256(kind + terms.repo.value() + text),
      terms.priority, terms.timeout};
  while (true) {
    Service* const service = Enter();
    if (service != nullptr) {
      const int life = life_;
      Result<OperationView> accepted = co_await service->Submit(admin_, submission);
      Leave();
      if (accepted.ok() && life == life_) co_return std::move(accepted).value();
      const bool may_go_better = accepted.status().code() == StatusCode::kUnavailable ||
                                 accepted.status().slug() == "queue_full";
      EMEND_CHECK(life != life_ || may_go_better, accepted.status().ToString());
      if (life == life_) sim_.Record("not accepted: " + accepted.status().slug());
    }
    co_await Sleep(sim_, kPause);
  }
}

Awaitable<SimCluster::Operation> SimCluster::Complete(std::string kind, json body, std::string key,
                                                      Terms terms) {
  OperationView view =
      co_await Accept(std::move(kind), std::move(body), std::move(key), std::move(terms));
  while (view.operation.finished_ms == 0) {
    Service* const service = Enter();
    if (service != nullptr) {
      const int life = life_;
      Result<OperationView> changed =
          co_await service->WaitForChange(view.operation.id, view.version, sim_.clock().Now() + 1s);
      Leave();
      EMEND_CHECK(life != life_ || changed.ok(), changed.status().ToString());
      if (life == life_) view = std::move(changed).value();
    }
    if (service == nullptr) co_await Sleep(sim_, kPause);
  }
  co_return view.operation;
}

SimCluster::Operation SimCluster::Run(const std::string& kind, const json& body,
                                      const std::string& key) {
  const auto ended = sim_.Await(Complete(kind, body, key, {}), 1h);
  EMEND_CHECK(ended.has_value(), "the operation " + kind + " did not end");
  return *ended;
}

bool SimCluster::Prepare(Answer answer) {
  for (std::size_t i = 0; i < workers_.size(); ++i) {
    workers_[i]->worker->OnRequest(
        [answer, i](const worker::protocol::RequestBody& request) { return answer(i, request); });
  }
  using storage::records::OperationState;
  return Run("import", ImportBody()).state == OperationState::kSucceeded &&
         Run("statistics", StatisticsBody()).state == OperationState::kSucceeded;
}

}  // namespace emend::test
