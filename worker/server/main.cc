// emend-worker: one rank. Holds its shard of a model, makes states live, solves, evaluates and
// answers, as its coordinator asks.
#include <ATen/Parallel.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <cstdlib>
#include <iostream>
#include <optional>
#include <set>
#include <thread>

#include "storage/base/file_system.h"
#include "storage/base/log.h"
#include "storage/base/stop_signals.h"
#include "worker/model/device.h"
#include "worker/model/memory.h"
#include "worker/server/launch.h"
#include "worker/server/worker_server.h"

namespace emend::worker::server {
namespace {

constexpr int kExitInternal = 7;  // as of emend and emendd

struct Arguments {
  WorkerServerOptions server;
  std::vector<std::string> gateways;
  std::string token_file;
  std::string log_file;
  std::string health_file;
  std::string host = "127.0.0.1";
  std::string name;
  std::string device;
  std::string collective;
  std::optional<int> local_rank;  // none: the rank
  protocol::TlsFiles tls;
  int threads = 0;
};

// What the launcher said is where the options begin.
Status TakeLaunch(Arguments& arguments) {
  EMEND_ASSIGN_OR_RETURN(const Launch launch, LaunchFrom([](const char* name) -> const char* {
                           return std::getenv(name);
                         }));
  protocol::Hello& hello = arguments.server.hello;
  arguments.server.address = launch.coordinator;
  arguments.gateways = launch.gateways;
  arguments.host = launch.host.empty() ? arguments.host : launch.host;
  arguments.name = launch.name;
  arguments.device = launch.device;
  arguments.collective = launch.collective;
  if (!launch.launcher.empty()) arguments.local_rank = launch.local_rank;
  arguments.tls = launch.tls;
  hello.group = launch.group;
  hello.rank = launch.rank;
  hello.world_size = launch.world_size;
  return OkStatus();
}

void Describe(CLI::App& app, Arguments& arguments) {
  app.footer(
      "Rank, ranks, group and name come from the launcher where an option is not given: "
      "EMEND_RANK, EMEND_WORLD_SIZE, EMEND_GROUP, EMEND_NAME,\n"
      "or the variables of torchrun, LeaderWorkerSet, Slurm or Open MPI; EMEND_COORDINATOR, "
      "EMEND_GATEWAYS and EMEND_HOST for the addresses,\n"
      "EMEND_DEVICE and EMEND_COLLECTIVE, EMEND_TLS_CERT, EMEND_TLS_KEY and EMEND_TLS_CA for TLS.");
  app.add_option("--coordinator", arguments.server.address,
                 "HOST:PORT where emendd listens for workers");
  app.add_option("--gateway", arguments.gateways,
                 "HOST:PORT where an emend-gateway listens for workers; may be given again, counts "
                 "for rank 0")
      ->delimiter(',');
  app.add_option("--token-file", arguments.token_file, "file with the workers' token (mode 0600)")
      ->required();
  app.add_option("--name", arguments.name, "stable name of this worker");
  app.add_option("--group", arguments.server.hello.group, "worker group");
  app.add_option("--rank", arguments.server.hello.rank, "rank in the group");
  app.add_option("--world-size", arguments.server.hello.world_size, "ranks of the group");
  app.add_option("--host", arguments.host,
                 "address at which the other ranks of the group reach this one")
      ->capture_default_str();
  app.add_option(
         "--device", arguments.device,
         "where the model lies: cpu, cuda:N, or cuda for the GPU of the rank on its machine")
      ->capture_default_str();
  app.add_option("--collective", arguments.collective,
                 "what moves tensors between ranks: tcp, nccl, or auto for nccl between GPUs")
      ->capture_default_str();
  app.add_option("--tls-cert", arguments.tls.certificate,
                 "PEM certificate shown to the coordinator, who must show one, too");
  app.add_option("--tls-key", arguments.tls.key, "PEM key of the certificate");
  app.add_option("--tls-ca", arguments.tls.authority,
                 "PEM certificates of the authority that signs the coordinator's certificate");
  app.add_option("--threads", arguments.threads, "compute threads (0: all cores)");
  app.add_option("--log", arguments.log_file,
                 "append the log to this file instead of standard error");
  app.add_option("--health-file", arguments.health_file,
                 "file written at each heartbeat: \"connected\" or \"dialling\"");
  app.add_flag("--embedded", arguments.server.embedded,
               "end when the connection to the coordinator ends");
}

Status Prepare(Arguments& arguments) {
  for (const auto& [value, option] : {std::pair(arguments.server.address, "--coordinator"),
                                      {arguments.name, "--name"},
                                      {arguments.server.hello.group, "--group"}}) {
    if (value.empty())
      return InvalidArgument(std::string("starting a worker: ") + option +
                             " is not given, and no launcher says it");
  }
  arguments.server.hello.worker = WorkerId(arguments.name);
  if (!arguments.log_file.empty()) EMEND_RETURN_IF_ERROR(LogToFile(arguments.log_file));
  PosixFileSystem files;
  EMEND_ASSIGN_OR_RETURN(std::string token, files.Read(arguments.token_file));
  while (!token.empty() && token.back() == '\n') token.pop_back();
  protocol::Hello& hello = arguments.server.hello;
  hello.token = std::move(token);
  hello.threads = arguments.threads > 0
                      ? arguments.threads
                      : static_cast<int>(std::max(1U, std::thread::hardware_concurrency()));
  hello.process_id = static_cast<std::uint64_t>(getpid());
  return OkStatus();
}

// A probe reads the state in it, and in its age whether the worker still lives.
void WriteHealth(const std::string& file, Pulse pulse) {
  const Status written = PosixFileSystem().WriteAtomically(
      file, pulse == Pulse::kConnected ? "connected\n" : "dialling\n", 0644);
  if (!written.ok()) LogWarning("health_file_not_written", {{"status", written}});
}

Result<std::unique_ptr<protocol::Transport>> TransportOf(Runtime& runtime,
                                                         const protocol::TlsFiles& tls) {
  if (tls.empty()) return protocol::NewTcpTransport(runtime);
  return protocol::NewTlsTransport(runtime, tls);
}

Result<RankGroupOptions> OpenGroup(const Arguments& arguments) {
  RankGroupOptions group{
      .host = arguments.host, .device = at::kCPU, .collective = Collective::kAuto};
  EMEND_ASSIGN_OR_RETURN(
      group.device, model::OpenDevice(arguments.device,
                                      arguments.local_rank.value_or(arguments.server.hello.rank)));
  EMEND_ASSIGN_OR_RETURN(group.collective, CollectiveFromName(arguments.collective));
  if (group.collective == Collective::kNccl && !group.device.is_cuda()) {
    return InvalidArgument(
        "starting a worker: --collective nccl moves what lies on GPUs, and --device is " +
        arguments.device);
  }
  return group;
}

// A gateway sees a worker of its own, whatever ranks stand behind it.
WorkerServerOptions ForGateway(const WorkerServerOptions& server, const std::string& address) {
  WorkerServerOptions options{
      .address = address, .caller = Caller::kGateway, .hello = server.hello};
  options.hello.rank = 0;
  options.hello.world_size = 1;
  return options;
}

// The worker's conversations, each a server of its own. All end when the coordinator's does.
class Servers {
 public:
  Servers(SystemRuntime& runtime, protocol::Transport& transport, Handlers& handlers,
          const Arguments& arguments)
      : runtime_(runtime) {
    servers_.push_back(
        std::make_unique<WorkerServer>(runtime, transport, handlers, arguments.server));
    if (arguments.server.hello.rank > 0) return;
    for (const std::string& address :
         std::set<std::string>(arguments.gateways.begin(), arguments.gateways.end())) {
      servers_.push_back(std::make_unique<WorkerServer>(runtime, transport, handlers,
                                                        ForGateway(arguments.server, address)));
      handlers.ServeGateways();
    }
  }
  void Stop() {
    for (const auto& server : servers_) server->Stop();
  }
  Status Run() {
    left_ = servers_.size();
    for (const auto& server : servers_) {
      boost::asio::co_spawn(
          runtime_.executor(), server->Run(), [this](std::exception_ptr error, Status status) {
            EMEND_CHECK(error == nullptr, "an exception escaped the worker's conversation");
            if (ended_.ok()) ended_ = std::move(status);
            Stop();
            if (--left_ == 0) runtime_.Stop();
          });
    }
    runtime_.Run();
    return ended_;
  }

 private:
  SystemRuntime& runtime_;
  std::vector<std::unique_ptr<WorkerServer>> servers_;
  std::size_t left_ = 0;
  Status ended_;
};

Status Serve(Arguments arguments) {
  model::KeepFreedMemory();
  at::set_num_threads(arguments.server.hello.threads);
  EMEND_ASSIGN_OR_RETURN(const RankGroupOptions group, OpenGroup(arguments));
  arguments.server.hello.device = group.device.str();
  const auto runtime = NewSystemRuntime(/*pool_threads=*/1);
  StopSignals signals(*runtime);
  EMEND_ASSIGN_OR_RETURN(const auto transport, TransportOf(*runtime, arguments.tls));
  LiveBaseOptions base;
  base.device = group.device;
  Handlers handlers(base, group);
  // Whoever started the worker (emendd, systemd, Kubernetes) starts another.
  arguments.server.on_hang = [] { std::_Exit(kExitInternal); };
  arguments.server.memory = [&handlers] { return handlers.memory(); };
  if (!arguments.health_file.empty())
    arguments.server.on_pulse = [file = arguments.health_file](Pulse pulse) {
      WriteHealth(file, pulse);
    };
  Servers servers(*runtime, *transport, handlers, arguments);
  signals.OnFirst([&servers] { servers.Stop(); });
  return servers.Run();
}

int Main(int argc, char** argv) {
  Arguments arguments;
  CLI::App app("emend-worker: one rank of a worker group");
  Status status = TakeLaunch(arguments);
  Describe(app, arguments);
  CLI11_PARSE(app, argc, argv);
  if (status.ok()) status = Prepare(arguments);
  if (status.ok()) status = Serve(std::move(arguments));
  if (!status.ok()) {
    LogError("worker_ended", {{"status", status}});
    std::cerr << "emend-worker: " << status.ToString() << "\n";
  }
  return status.ok() ? 0 : kExitInternal;
}

}  // namespace
}  // namespace emend::worker::server

int main(int argc, char** argv) { return emend::worker::server::Main(argc, argv); }
