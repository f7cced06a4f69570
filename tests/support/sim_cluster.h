// A coordinator on an in-memory store, and workers without a model (delta_worker.h), in virtual
// time: what tests of the service stand on.
//
//   SimCluster cluster(/*seed=*/1, /*workers=*/2);
//   const Operation imported = cluster.Run("import", cluster.ImportBody());
//   const Operation committed = cluster.Run("commit", body);
//   // stop, lose what was not synced, start again
//   cluster.Restart();
//
// Worker i is called "wi". In groups of several ranks, rank 0 has the model and the others follow
// it. The repo of Run is kRepo. Everything runs on the simulation's one thread; the destructor
// stops workers and coordinator.
#pragma once

#include <functional>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "coordinator/core/store_layout.h"
#include "coordinator/server/coordinator.h"
#include "coordinator/store/refs.h"
#include "storage/kv/kv_store.h"
#include "tests/support/delta_worker.h"
#include "tests/support/fake_worker.h"
#include "tests/support/memory_kv.h"
#include "tests/support/memory_transport.h"
#include "tests/support/sim_runtime.h"
#include "tests/support/temporary_folder.h"
#include "tests/support/unsynced_file_system.h"

namespace emend::test {

class SimCluster {
 public:
  using Service = coordinator::server::Service;
  using Operation = storage::records::Operation;

  inline static const RepoName kRepo{"small"};

  struct Options {
    std::uint64_t seed = 1;
    std::vector<int> groups = {1};                // ranks of each
    std::chrono::microseconds latency_max{1000};  // of the network
  };

  // How an operation is submitted, if not as usual.
  struct Terms {
    RepoName repo = kRepo;
    storage::records::Priority priority = storage::records::Priority::kNormal;
    std::chrono::seconds timeout{0};
  };

  struct Node {
    std::string name;
    std::string group;
    int rank = 0;
    int world_size = 1;
    std::unique_ptr<worker::protocol::Transport> host;
    DeltaWorker model;
    std::unique_ptr<FakeWorker> worker;
  };

  explicit SimCluster(const Options& options);
  // Of single workers.
  SimCluster(std::uint64_t seed, int workers)
      : SimCluster(
            {.seed = seed, .groups = std::vector<int>(static_cast<std::size_t>(workers), 1)}) {}
  ~SimCluster();

  SimRuntime& sim() { return sim_; }
  MemoryKv& store() { return *store_; }
  MemoryNetwork& network() { return *network_; }
  coordinator::server::Coordinator& service() { return *coordinator_; }
  Node& worker(std::size_t number) { return *workers_[number]; }
  std::size_t workers() const { return workers_.size(); }
  // All scopes.
  const coordinator::server::Caller& admin() const { return admin_; }
  coordinator::core::StoreLayout layout() const {
    return {folder_.path() + "/store", {folder_.path()}};
  }
  const std::string& folder() const { return folder_.path(); }

  // As recorded now. REQUIRES: kRepo was made.
  storage::history::Repository repo();
  // Of kRepo if none is named, by the admin, at once.
  Result<storage::history::Ref> MoveRef(coordinator::store::RefMove move);

  nlohmann::json ImportBody() const;
  // Of a model of its own, drawn from `seed`, which is written there.
  nlohmann::json ImportBody(const RepoName& repo, std::uint64_t seed) const;
  nlohmann::json StatisticsBody() const { return {{"lines", {"one line", "another"}}}; }

  // As the REST server: whoever calls the coordinator is counted in and out, so that it is not
  // destroyed under a call. Null while it restarts.
  Service* Enter();
  void Leave() { --calls_; }
  // Rises when the coordinator is killed: what a call that was begun before returns after that,
  // nobody hears.
  int life() const { return life_; }
  // Submits, under the same idempotency key until it is accepted, over restarts.
  Awaitable<coordinator::server::OperationView> Accept(std::string kind, nlohmann::json body,
                                                       std::string key, Terms terms);
  // Accept, and follows to the end.
  Awaitable<Operation> Complete(std::string kind, nlohmann::json body, std::string key,
                                Terms terms);
  // Complete, run to its end. REQUIRES: it ends within a virtual hour.
  Operation Run(const std::string& kind, const nlohmann::json& body, const std::string& key = "");
  // Has every worker answer with this, told its number, and makes kRepo with statistics. True if
  // both succeeded.
  using Answer = std::function<Result<worker::protocol::ReplyBody>(
      std::size_t worker, const worker::protocol::RequestBody& request)>;
  bool Prepare(Answer answer);

  Awaitable<void> StopCoordinator();
  void StartCoordinator();
  // Awaitable form of both, with the loss of what was not synced and `pause` between them.
  Awaitable<int> RestartAfter(std::chrono::milliseconds pause);
  // From one moment to the next nothing that it does reaches store, workers or callers; then as
  // RestartAfter.
  Awaitable<int> KillFor(std::chrono::milliseconds pause);
  void Restart();

 private:
  void AddGroup(int ranks);
  void AddWorker(const std::string& group, int rank, int world_size);

  const TemporaryFolder folder_;
  SimRuntime sim_;
  UnsyncedFileSystem file_system_;
  std::unique_ptr<MemoryKv> store_;
  std::unique_ptr<MemoryNetwork> network_;
  std::unique_ptr<worker::protocol::Transport> coordinator_host_;
  std::unique_ptr<coordinator::server::Coordinator> coordinator_;
  coordinator::server::Caller admin_;
  std::vector<std::unique_ptr<Node>> workers_;
  int groups_ = 0;
  int calls_ = 0;
  int life_ = 0;
  bool stopped_ = false;
};

}  // namespace emend::test
