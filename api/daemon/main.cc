// emendd: the coordinator of one store, with its REST edge and its embedded workers.
#include <CLI/CLI.hpp>
#include <filesystem>
#include <iostream>

#include "api/daemon/daemon.h"
#include "api/daemon/repair.h"
#include "api/program/exit_code.h"

namespace {

struct RepairArguments {
  bool wanted = false;
  bool new_token = false;
  bool json = false;
  emend::storage::records::RepairOptions options;
};

void Describe(CLI::App& app, RepairArguments& repair) {
  auto* wanted = app.add_flag("--repair", repair.wanted,
                              "mend a store that is refused, say what is lost, and end");
  app.add_flag("--accept-loss", repair.options.accept_loss,
               "repair although acknowledged changes are lost")
      ->needs(wanted);
  auto* new_token = app.add_flag("--new-token", repair.new_token,
                                 "make a new first token, revoke the old one, and end");
  new_token->excludes(wanted);
  app.add_flag("--json", repair.json, "with --repair and --new-token: report as JSON");
}

void Describe(CLI::App& app, emend::api::daemon::DaemonOptions& options) {
  app.add_option("--store", options.store, "folder of the store; created if it is not there")
      ->required();
  app.add_flag("--new", options.is_new,
               "begin a new, empty store, although there are things left of one whose database is "
               "gone");
  app.add_option("--listen", options.listen, "loopback address for REST; port 0 takes a free one")
      ->capture_default_str();
  app.add_option("--workers", options.workers, "workers to start; 0: others dial in")
      ->check(CLI::Range(0, 256))
      ->capture_default_str();
  app.add_option("--ranks", options.ranks,
                 "processes of each worker, which hold one model together")
      ->check(CLI::Range(1, 64))
      ->capture_default_str();
  app.add_option("--threads", options.threads, "threads of each worker; 0: cores / workers")
      ->check(CLI::Range(0, 1024))
      ->capture_default_str();
  app.add_option(
      "--model-root", options.model_roots,
      "imports and exports must lie below one of these; the whole file system if none is named");
  app.add_option("--shared", options.shared,
                 "folder of models and statistics, which workers see under the same path; the "
                 "store if none is named");
  app.add_option(
      "--log", options.log,
      "append the log to this file, or to standard error (-), instead of STORE/emendd.log");
  app.add_option("--worker-listen", options.worker_address,
                 "address where workers dial in; others than loopback need TLS")
      ->capture_default_str();
  app.add_option("--worker-token-file", options.worker_token_file,
                 "file with the workers' token; made in the store if none is named");
  app.add_option("--worker-tls-cert", options.worker_tls.certificate,
                 "PEM certificate shown to workers, who must show one, too");
  app.add_option("--worker-tls-key", options.worker_tls.key, "PEM key of the certificate");
  app.add_option("--worker-tls-ca", options.worker_tls.authority,
                 "PEM certificates of the authority that signs the workers' certificates");
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app("emendd: the coordinator of one store");
  emend::api::daemon::DaemonOptions options;
  RepairArguments repair;
  Describe(app, options);
  Describe(app, repair);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : emend::api::program::exit_codes::kExitUsage;
  }
  std::error_code error;
  for (std::string* const folder : {&options.store, &options.shared}) {
    if (!folder->empty())
      *folder = std::filesystem::weakly_canonical(std::filesystem::absolute(*folder, error), error)
                    .string();
  }
  options.worker_program =
      (std::filesystem::read_symlink("/proc/self/exe", error).parent_path() / "emend-worker")
          .string();
  using emend::api::daemon::RepairOutput;
  const RepairOutput output = repair.json ? RepairOutput::kJson : RepairOutput::kText;
  emend::Status status;
  if (repair.wanted) {
    status = emend::api::daemon::RepairStore(options.store, repair.options, output, std::cout);
  } else if (repair.new_token) {
    status = emend::api::daemon::RenewToken(options.store, output, std::cout);
  } else {
    status = emend::api::daemon::RunDaemon(options);
  }
  if (!status.ok())
    std::cerr << "emendd: " << status.message() << " (" << status.slug() << ")" << std::endl;
  return emend::api::program::ExitCodeOf(status);
}
