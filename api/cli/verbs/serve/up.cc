#include "api/cli/progress.h"
#include "api/cli/text.h"
#include "api/cli/verb.h"
#include "api/daemon/launch.h"
#include "api/program/listen_address.h"

namespace emend::api::cli::verbs::up_verb {
namespace {

struct Options {
  std::string listen;
  std::optional<int> workers;
  std::optional<int> ranks;
  std::optional<int> threads;
  std::vector<std::string> model_roots;
  bool is_new = false;
};

bool HasOptions(const Options& options) {
  return !options.listen.empty() || options.workers || options.ranks || options.threads ||
         !options.model_roots.empty() || options.is_new;
}

std::vector<std::string> DaemonArguments(const Options& options) {
  std::vector<std::string> arguments = {"--workers", std::to_string(options.workers.value_or(1)),
                                        "--ranks",   std::to_string(options.ranks.value_or(1)),
                                        "--threads", std::to_string(options.threads.value_or(0))};
  if (!options.listen.empty()) arguments.insert(arguments.end(), {"--listen", options.listen});
  if (options.is_new) arguments.emplace_back("--new");
  for (const std::string& root : options.model_roots)
    arguments.insert(arguments.end(), {"--model-root", root});
  return arguments;
}

Result<int> Run(Session& session, const Options& options) {
  EMEND_ASSIGN_OR_RETURN(const std::string store, session.NamedStore());
  if (!options.listen.empty())
    EMEND_RETURN_IF_ERROR(program::CheckListenAddress({}, options.listen));
  ProgressBar bar(session.terminal(), session.options().quiet);
  const daemon::LaunchOptions launch{.store = store,
                                     .program = session.terminal().program_folder + "/emendd",
                                     .arguments = DaemonArguments(options)};
  const auto launched =
      daemon::Launch(launch, [&bar](const std::string& text) { bar.ShowText(text); });
  bar.Clear();
  if (!launched.ok()) return launched.status();
  session.RememberStore(store);
  if (launched->was_running && HasOptions(options)) {
    *session.terminal().err << "emend: emendd runs already, as it was started; for other options "
                               "stop it first: emend down --store "
                            << store << "\n";
  }
  EMEND_ASSIGN_OR_RETURN(const std::string token, daemon::ReadFirstToken(launched->record));
  if (session.json()) {
    session.Print({{"url", launched->record.url}, {"token", token}, {"pid", launched->record.pid}});
    return kExitOk;
  }
  session.out() << (launched->was_running ? "emendd runs already" : "emendd is up") << " on "
                << store << "\n"
                << RenderTable({{"url", launched->record.url},
                                {"token", "in " + launched->record.token_file},
                                {"pid", std::to_string(launched->record.pid)}});
  session.Hint("init REPO --model PATH");
  return kExitOk;
}

void Describe(Arguments& arguments, Options& options) {
  arguments.Add({.names = "--listen",
                 .value = "IP:PORT",
                 .help = "address for REST, such as 127.0.0.1:8321; port 0, the default, takes a "
                         "free one",
                 .into = &options.listen});
  arguments.Add({.names = "--workers",
                 .value = "N",
                 .help = "workers to start, 1 if not given; 0: others dial in",
                 .range = Range{0, 256},
                 .into = &options.workers});
  arguments.Add({.names = "--ranks",
                 .value = "N",
                 .help = "processes of each worker, which hold one model together, 1 if not given",
                 .range = Range{1, 64},
                 .into = &options.ranks});
  arguments.Add({.names = "--threads",
                 .value = "N",
                 .help = "threads of each process; 0, the default: cores / processes",
                 .range = Range{0, 1024},
                 .into = &options.threads});
  arguments.Add({.names = "--model-root",
                 .value = "DIR",
                 .help = "imports and exports must lie below one of these; the whole file system "
                         "if none is named",
                 .kind = ValueKind::kFolder,
                 .into = &options.model_roots});
  arguments.Add({.names = "--new",
                 .help = "begin a new, empty store over what is left of one whose database is gone",
                 .into = &options.is_new});
}

}  // namespace

Verb Make() {
  return {.name = "up",
          .group = Group::kServe,
          .summary = "start emendd on a store, with workers, and wait until it is ready",
          .details =
              "The store is --store DIR or EMEND_STORE; its folder is made. Later commands find\n"
              "the store last brought up by themselves. Returns when a worker is connected. If\n"
              "emendd runs already, it stays as it is, whatever the options, and a line says so.\n"
              "A folder with what is left of a store whose database is gone is refused, unless\n"
              "--new begins a new store over it.",
          .examples = "emend up --store ~/emend-store\nemend up --store ~/emend-store --ranks 2",
          .document =
              "`{\"url\", \"token\", \"pid\"}`; `token` is the secret itself: keep the document "
              "out of logs",
          .bind = Bind<Options, Describe, Run>};
}

}  // namespace emend::api::cli::verbs::up_verb
