#include "api/daemon/daemon.h"

#include <unistd.h>

#include <filesystem>

#include "api/daemon/launch.h"
#include "api/daemon/supervisor.h"
#include "api/program/listen_address.h"
#include "api/rest/server.h"
#include "coordinator/server/coordinator.h"
#include "storage/base/log.h"
#include "storage/base/stop_signals.h"

namespace emend::api::daemon {
namespace {

constexpr int kPoolThreads = 8;
constexpr std::chrono::milliseconds kReadyPoll{20};

// Everything that runs, in the order in which it was started. Owned by the main thread; used on the
// runtime's executor once that runs.
struct Parts {
  Parts(const DaemonOptions& given, const StoreLock& held)
      : options(given), lock(held), runtime(NewSystemRuntime(kPoolThreads)), tasks(*runtime) {}

  const DaemonOptions& options;
  const StoreLock& lock;
  PosixFileSystem files;
  std::unique_ptr<SystemRuntime> runtime;
  std::unique_ptr<storage::kv::KvStore> store;
  std::unique_ptr<worker::protocol::Transport> transport;
  std::unique_ptr<coordinator::server::Coordinator> coordinator;
  std::unique_ptr<rest::RestServer> rest;
  std::unique_ptr<Supervisor> supervisor;
  TaskGroup tasks;
  bool stopping = false;
};

Status StartStore(Parts& parts) {
  EMEND_ASSIGN_OR_RETURN(parts.store,
                         storage::kv::OpenRocksKv({.path = parts.options.store + "/db"}));
  if (parts.options.worker_tls.empty()) {
    parts.transport = worker::protocol::NewTcpTransport(*parts.runtime);
  } else {
    EMEND_ASSIGN_OR_RETURN(parts.transport, worker::protocol::NewTlsTransport(
                                                *parts.runtime, parts.options.worker_tls));
  }
  coordinator::server::CoordinatorOptions options{
      .folder = parts.options.store,
      .worker_address = parts.options.worker_address,
      .model_roots = parts.options.model_roots,
      .shared = parts.options.shared,
      .worker_token_file = parts.options.worker_token_file};
  if (options.model_roots.empty()) options.model_roots = {"/"};
  EMEND_ASSIGN_OR_RETURN(parts.coordinator, coordinator::server::Coordinator::Start(
                                                {.runtime = parts.runtime.get(),
                                                 .file_system = &parts.files,
                                                 .store = parts.store.get(),
                                                 .transport = parts.transport.get()},
                                                options));
  return OkStatus();
}

std::vector<std::uint64_t> LostProcesses(const coordinator::server::Coordinator& coordinator) {
  std::vector<std::uint64_t> lost;
  for (const auto& worker : coordinator.Workers()) {
    if (worker.state == coordinator::membership::WorkerState::kLost)
      lost.push_back(worker.process_id);
  }
  return lost;
}

Status StartWorkers(Parts& parts) {
  if (parts.options.workers == 0) return OkStatus();
  parts.supervisor = NewSupervisor(
      *parts.runtime, {.program = parts.options.worker_program,
                       .coordinator = parts.coordinator->worker_address(),
                       .token_file = parts.coordinator->worker_token_file(),
                       .log_folder = parts.options.store,
                       .workers = parts.options.workers,
                       .ranks = parts.options.ranks,
                       .threads = parts.options.threads,
                       .lost_processes = [&parts] { return LostProcesses(*parts.coordinator); }});
  return parts.supervisor->Start();
}

// Says where emendd is, once it can be used.
Awaitable<Status> Announce(Parts* parts) {
  while (parts->options.workers > 0 && !parts->coordinator->Ready().ok()) {
    if (parts->stopping) co_return OkStatus();
    co_await Sleep(*parts->runtime, kReadyPoll);
  }
  if (parts->stopping) co_return OkStatus();
  const DaemonRecord record{.url = parts->rest->url(),
                            .token_file = parts->coordinator->admin_token_file(),
                            .pid = getpid()};
  const std::string& store = parts->options.store;
  const auto write = [store, record] { return WriteDaemonRecord(store, record); };
  const Status written = co_await Blocking(*parts->runtime, write);
  if (written.ok()) LogInfo("emendd_ready", {{"url", record.url}, {"pid", record.pid}});
  co_return written;
}

Awaitable<Status> StopAll(Parts* parts) {
  LogInfo("emendd_stopping");
  parts->lock.Say({.pid = getpid(), .stopping = true});
  RemoveDaemonRecord(parts->options.store);
  // The coordinator first: it ends what requests wait for. Before the workers: what they run is to
  // be taken up again, not to fail because they went away.
  const bool ended = co_await parts->coordinator->Stop();
  co_await parts->rest->Stop();
  if (parts->supervisor) co_await parts->supervisor->Stop();
  LogInfo("emendd_stopped", {{"work_left", !ended}});
  // Work on the pool that does not end (a check or copy of much data) still uses what would be
  // destroyed here. Leaving it there is as safe as a power cut.
  if (!ended) std::_Exit(0);
  parts->runtime->Stop();
  co_return OkStatus();
}

Status StartAll(Parts& parts) {
  EMEND_RETURN_IF_ERROR(StartStore(parts));
  parts.rest =
      rest::NewRestServer(*parts.runtime, *parts.coordinator, {.address = parts.options.listen});
  EMEND_RETURN_IF_ERROR(parts.rest->Start());
  LogInfo("rest_listening", {{"url", parts.rest->url()}});
  return StartWorkers(parts);
}

Status CheckAddresses(const DaemonOptions& options) {
  EMEND_RETURN_IF_ERROR(program::CheckListenAddress({}, options.listen));
  const bool has_tls = !options.worker_tls.empty();
  if (has_tls && options.workers > 0) {
    return InvalidArgument("starting emendd with --workers " + std::to_string(options.workers) +
                           " and --worker-tls-*: workers of its own need no TLS and have no "
                           "certificates; add --workers 0, and start workers where their "
                           "certificates are");
  }
  return program::CheckListenAddress(
      {.name = "--worker-listen",
       .transit = has_tls ? program::Transit::kTls : program::Transit::kPlain,
       .advice = "give --worker-tls-cert, --worker-tls-key and --worker-tls-ca"},
      options.worker_address);
}

}  // namespace

Status RunDaemon(const DaemonOptions& options) {
  EMEND_RETURN_IF_ERROR(CheckAddresses(options));
  EMEND_RETURN_IF_ERROR(CreateStoreFolder(options.store));
  EMEND_ASSIGN_OR_RETURN(const StoreLock lock, StoreLock::Take(options.store));
  EMEND_RETURN_IF_ERROR(CheckStoreIsWhole(options.store, options.shared,
                                          options.is_new ? StoreStart::kNew : StoreStart::kUsual));
  if (options.log != "-")
    EMEND_RETURN_IF_ERROR(
        LogToFile(options.log.empty() ? options.store + "/emendd.log" : options.log));
  RemoveDaemonRecord(options.store);
  lock.Say({.pid = getpid()});
  Parts parts(options, lock);
  // Before anything that takes time: a signal while starting is a wish to stop, too.
  StopSignals signals(*parts.runtime);
  const Status started = StartAll(parts);
  if (!started.ok()) {
    LogError("emendd_not_started", {{"store", options.store}, {"status", started}});
    return started;
  }
  signals.OnFirst([&parts] {
    parts.stopping = true;
    parts.tasks.Spawn("stop", StopAll(&parts));
  });
  parts.tasks.Spawn("announce", Announce(&parts));
  parts.runtime->Run();
  return OkStatus();
}

}  // namespace emend::api::daemon
