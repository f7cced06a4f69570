// A coordinator on an in-memory store, and workers without a model (delta_worker.h), in virtual time: what tests of the service stand on.
//
//   SimCluster cluster(/*seed=*/1, /*workers=*/2);
//   const Operation imported = cluster.Run("import", cluster.ImportBody());
//   const Operation committed = cluster.Run("commit", body);
//   cluster.Restart();                                          // stop, lose what was not synced, start again
//
// The repo of Run is kRepo. Everything runs on the simulation's one thread; the destructor stops workers and coordinator.
#pragma once

#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "coordinator/core/store_layout.h"
#include "coordinator/server/coordinator.h"
#include "storage/kv/kv_store.h"
#include "tests/support/delta_worker.h"
#include "tests/support/fake_worker.h"
#include "tests/support/sim_runtime.h"
#include "tests/support/temporary_folder.h"
#include "worker/protocol/memory_transport.h"

namespace emend::test {

class SimCluster {
 public:
  using Service = coordinator::server::Service;
  using Operation = storage::records::Operation;

  inline static const RepoName kRepo{"small"};

  // How an operation is submitted, if not as usual.
  struct Terms {
    storage::records::Priority priority = storage::records::Priority::kNormal;
    std::chrono::seconds timeout{0};
  };

  struct Node {
    std::unique_ptr<worker::protocol::Transport> host;
    DeltaWorker model;
    std::unique_ptr<FakeWorker> worker;
  };

  SimCluster(std::uint64_t seed, int workers);
  ~SimCluster();

  SimRuntime& sim() { return sim_; }
  storage::kv::MemoryKv& store() { return *store_; }
  worker::protocol::MemoryNetwork& network() { return *network_; }
  coordinator::server::Coordinator& service() { return *coordinator_; }
  Node& worker(std::size_t number) { return *workers_[number]; }
  std::size_t workers() const { return workers_.size(); }
  // All scopes.
  const coordinator::server::Caller& admin() const { return admin_; }
  coordinator::core::StoreLayout layout() const { return {folder_.path() + "/store", {folder_.path()}}; }

  nlohmann::json ImportBody() const;
  nlohmann::json StatisticsBody() const { return {{"lines", {"one line", "another"}}}; }

  // As the REST server: whoever calls the coordinator is counted in and out, so that it is not destroyed under a call. Null while it restarts.
  Service* Enter();
  void Leave() { --calls_; }
  // Submits, under the same idempotency key until it is accepted, and follows to the end, over restarts.
  Awaitable<Operation> Complete(std::string kind, nlohmann::json body, std::string key, Terms terms);
  // Complete, run to its end. REQUIRES: it ends within a virtual hour.
  Operation Run(const std::string& kind, const nlohmann::json& body, const std::string& key = "");

  Awaitable<void> StopCoordinator();
  void StartCoordinator();
  // Awaitable form of both, with the loss of what was not synced and `pause` between them.
  Awaitable<int> RestartAfter(std::chrono::milliseconds pause);
  void Restart();

 private:
  void AddWorker(int number);

  const TemporaryFolder folder_;
  SimRuntime sim_;
  PosixFileSystem file_system_;
  std::unique_ptr<storage::kv::MemoryKv> store_;
  std::unique_ptr<worker::protocol::MemoryNetwork> network_;
  std::unique_ptr<worker::protocol::Transport> coordinator_host_;
  std::unique_ptr<coordinator::server::Coordinator> coordinator_;
  coordinator::server::Caller admin_;
  std::vector<std::unique_ptr<Node>> workers_;
  int calls_ = 0;
  bool stopped_ = false;
};

}  // namespace emend::test
