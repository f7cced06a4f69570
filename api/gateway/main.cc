// emend-gateway: answers beside emendd, on what workers have live.
#include <CLI/CLI.hpp>
#include <iostream>

#include "api/gateway/gateway.h"
#include "api/program/exit_code.h"
#include "api/program/listen_address.h"
#include "api/program/token_file.h"
#include "api/rest/server.h"
#include "storage/base/log.h"
#include "storage/base/stop_signals.h"

namespace emend::api::gateway {
namespace {

constexpr int kPoolThreads = 1;

struct Arguments {
  std::string listen = "127.0.0.1:8331";
  std::string token_file;
  std::string log = "-";
  worker::protocol::TlsFiles tls;
  std::int64_t silence_max_s = std::chrono::seconds(GatewayOptions().silence_max).count();
  GatewayOptions gateway{.worker_address = "127.0.0.1:7412"};
};

void Describe(CLI::App& app, Arguments& arguments) {
  app.footer(
      "Workers dial in with emend-worker --gateway HOST:PORT. What can be asked is what emendd has "
      "published to them: branches, tags, and tokens with\n"
      "the scope ask. POST /v1/completions, POST /v1/chat/completions, GET /v1/models, "
      "POST /api/v1/repos/REPO/answers; /livez and /readyz for probes.");
  app.add_option("--listen", arguments.listen, "loopback address for REST")->capture_default_str();
  app.add_option("--worker-listen", arguments.gateway.worker_address,
                 "address where workers dial in; others than loopback need TLS")
      ->capture_default_str();
  app.add_option("--worker-token-file", arguments.token_file,
                 "file with the workers' token (mode 0600), that of emendd")
      ->required();
  app.add_option("--worker-tls-cert", arguments.tls.certificate,
                 "PEM certificate shown to workers, who must show one, too");
  app.add_option("--worker-tls-key", arguments.tls.key, "PEM key of the certificate");
  app.add_option("--worker-tls-ca", arguments.tls.authority,
                 "PEM certificates of the authority that signs the workers' certificates");
  app.add_option("--silence-max", arguments.silence_max_s,
                 "seconds for which it answers while emendd is away; 0: for ever")
      ->check(CLI::Range(std::int64_t{0}, std::int64_t{10} * 365 * 24 * 60 * 60))
      ->capture_default_str();
  app.add_option("--log", arguments.log, "append the log to this file, or to standard error (-)")
      ->capture_default_str();
}

Status CheckAddresses(const Arguments& arguments) {
  EMEND_RETURN_IF_ERROR(program::CheckListenAddress({}, arguments.listen));
  return program::CheckListenAddress(
      {.name = "--worker-listen",
       .transit = arguments.tls.empty() ? program::Transit::kPlain : program::Transit::kTls,
       .advice = "give --worker-tls-cert, --worker-tls-key and --worker-tls-ca"},
      arguments.gateway.worker_address);
}

Awaitable<Status> StopAll(SystemRuntime* runtime, Gateway* gateway, rest::RestServer* rest) {
  co_await gateway->Stop();
  co_await rest->Stop();
  LogInfo("gateway_stopped");
  runtime->Stop();
  co_return OkStatus();
}

Status Run(Arguments arguments) {
  EMEND_RETURN_IF_ERROR(CheckAddresses(arguments));
  if (arguments.log != "-") EMEND_RETURN_IF_ERROR(LogToFile(arguments.log));
  EMEND_ASSIGN_OR_RETURN(arguments.gateway.worker_token, program::ReadToken(arguments.token_file));
  arguments.gateway.silence_max = std::chrono::seconds(arguments.silence_max_s);
  const auto runtime = NewSystemRuntime(kPoolThreads);
  StopSignals signals(*runtime);
  std::unique_ptr<worker::protocol::Transport> transport =
      worker::protocol::NewTcpTransport(*runtime);
  if (!arguments.tls.empty()) {
    EMEND_ASSIGN_OR_RETURN(transport, worker::protocol::NewTlsTransport(*runtime, arguments.tls));
  }
  Gateway gateway(*runtime, *transport, arguments.gateway);
  EMEND_RETURN_IF_ERROR(gateway.Start());
  const auto rest = rest::NewAnswerServer(*runtime, gateway, {.address = arguments.listen});
  EMEND_RETURN_IF_ERROR(rest->Start());
  LogInfo("gateway_listening", {{"url", rest->url()}, {"workers", gateway.worker_address()}});
  TaskGroup tasks(*runtime);
  signals.OnFirst([&] { tasks.Spawn("stop", StopAll(runtime.get(), &gateway, rest.get())); });
  runtime->Run();
  return OkStatus();
}

}  // namespace
}  // namespace emend::api::gateway

int main(int argc, char** argv) {
  CLI::App app("emend-gateway: answers beside emendd, also while it is away");
  emend::api::gateway::Arguments arguments;
  emend::api::gateway::Describe(app, arguments);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : emend::api::program::exit_codes::kExitUsage;
  }
  const emend::Status status = emend::api::gateway::Run(std::move(arguments));
  if (!status.ok())
    std::cerr << "emend-gateway: " << status.message() << " (" << status.slug() << ")" << std::endl;
  return emend::api::program::ExitCodeOf(status);
}
