#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "api/cli/progress.h"
#include "api/cli/text.h"
#include "api/cli/verbs.h"
#include "api/daemon/exit_code.h"
#include "api/daemon/launch.h"

namespace emend::api::cli {
namespace {

using namespace daemon::exit_codes;

struct UpOptions {
  std::string listen;
  std::optional<int> workers;
  std::optional<int> ranks;
  std::optional<int> threads;
  std::vector<std::string> model_roots;
};
struct NoOptions {};
struct RepairOptions {
  bool accept_loss = false;
};
struct OperationsOptions {
  std::vector<std::string> words;  // nothing, or "cancel" and an id
  int count = 20;
};
struct AuditOptions {
  std::optional<std::uint64_t> after;
  std::optional<std::uint64_t> before;
  int count = 100;
};

bool HasOptions(const UpOptions& options) {
  return !options.listen.empty() || options.workers || options.ranks || options.threads ||
         !options.model_roots.empty();
}

std::vector<std::string> DaemonArguments(const UpOptions& options) {
  std::vector<std::string> arguments = {"--workers", std::to_string(options.workers.value_or(1)),
                                        "--ranks",   std::to_string(options.ranks.value_or(1)),
                                        "--threads", std::to_string(options.threads.value_or(0))};
  if (!options.listen.empty()) arguments.insert(arguments.end(), {"--listen", options.listen});
  for (const std::string& root : options.model_roots)
    arguments.insert(arguments.end(), {"--model-root", root});
  return arguments;
}

Result<int> RunUp(Session& session, const UpOptions& options) {
  EMEND_ASSIGN_OR_RETURN(const std::string store, session.NamedStore());
  if (!options.listen.empty())
    EMEND_RETURN_IF_ERROR(daemon::CheckListenAddress({}, options.listen));
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
  EMEND_ASSIGN_OR_RETURN(const std::string token, daemon::ReadToken(launched->record.token_file));
  if (session.json()) {
    session.Print({{"url", launched->record.url}, {"token", token}, {"pid", launched->record.pid}});
    return kExitOk;
  }
  session.out() << (launched->was_running ? "emendd runs already" : "emendd is up") << " on "
                << store << "\n"
                << RenderTable({{"url", launched->record.url},
                                {"token", "in " + launched->record.token_file},
                                {"pid", std::to_string(launched->record.pid)}});
  session.Hint("emend init REPO --model DIR");
  return kExitOk;
}

// Operations that wait or run; 0 if the server does not say.
long CountUnfinished(Session& session) {
  const Result<Json> page = session.Get("/api/v1/operations?limit=1000");
  if (!page.ok()) return 0;
  long unfinished = 0;
  for (const Json& operation : page->value("items", Json::array())) {
    const std::string state = TextOf(operation, "state");
    if (state == "accepted" || state == "running") ++unfinished;
  }
  return unfinished;
}

Result<int> RunDown(Session& session, const NoOptions&) {
  const Result<std::string> named = session.NamedStore();
  const std::string store = named.ok() ? *named : session.RememberedStore();
  if (store.empty()) return named.status();
  const long unfinished = CountUnfinished(session);
  EMEND_RETURN_IF_ERROR(daemon::Shutdown(store, std::chrono::seconds(60)));
  if (session.json()) {
    session.Print({{"store", store}, {"stopped", true}, {"unfinished", unfinished}});
    return kExitOk;
  }
  session.out() << "emendd on " << store << " has stopped\n";
  if (unfinished > 0)
    session.out() << unfinished << (unfinished == 1 ? " operation goes" : " operations go")
                  << " on at the next `emend up`\n";
  return kExitOk;
}

// Only emendd may open a store: this program becomes it.
Result<int> RunRepair(Session& session, const RepairOptions& options) {
  EMEND_ASSIGN_OR_RETURN(const std::string store, session.NamedStore());
  const std::string program = session.terminal().program_folder + "/emendd";
  std::vector<std::string> arguments = {program, "--store", store, "--repair"};
  if (options.accept_loss) arguments.emplace_back("--accept-loss");
  if (session.json()) arguments.emplace_back("--json");
  std::vector<char*> argv;
  for (std::string& argument : arguments) argv.push_back(argument.data());
  argv.push_back(nullptr);
  execv(program.c_str(), argv.data());
  return Unavailable("starting \"" + program + "\": " + std::strerror(errno));
}

Result<int> RunStatus(Session& session, const NoOptions&) {
  EMEND_ASSIGN_OR_RETURN(const Json repos, session.Get("/api/v1/repos"));
  EMEND_ASSIGN_OR_RETURN(const Json workers, session.Get("/api/v1/workers"));
  if (session.json()) {
    session.Print({{"repos", repos.value("items", Json::array())},
                   {"workers", workers.value("items", Json::array())}});
    return kExitOk;
  }
  std::vector<std::vector<std::string>> rows = {{"REPO", "MAIN", "BASE", "CREATED"}};
  for (const Json& repo : repos.value("items", Json::array())) {
    rows.push_back({TextOf(repo, "repo"), ShortId(TextOf(repo, "head")),
                    ShortId(TextOf(repo, "base")), TextOf(repo, "created").substr(0, 19)});
  }
  session.out() << RenderTable(rows) << "\n";
  rows = {{"WORKER", "STATE", "DEVICE", "PID", "CALLS", "WEIGHTS", "STATES", "STATISTICS", "CACHE",
           "READ"}};
  for (const Json& worker : workers.value("items", Json::array())) {
    const Json memory = worker.value("memory", Json::object());
    rows.push_back({TextOf(worker, "worker"), TextOf(worker, "state"), TextOf(worker, "device"),
                    std::to_string(static_cast<long>(NumberOf(worker, "process_id"))),
                    std::to_string(static_cast<long>(NumberOf(worker, "calls"))),
                    RenderMebibytes(NumberOf(memory, "weights_bytes")),
                    RenderMebibytes(NumberOf(memory, "states_bytes")),
                    RenderMebibytes(NumberOf(memory, "statistics_bytes")),
                    RenderMebibytes(NumberOf(memory, "cache_bytes")),
                    RenderMebibytes(NumberOf(worker, "file_bytes_read"))});
  }
  session.out() << RenderTable(rows);
  return kExitOk;
}

Result<int> CancelOperation(Session& session, const std::string& id) {
  EMEND_ASSIGN_OR_RETURN(const client::Reply reply, session.Cancel(id));
  if (session.json()) {
    session.Print(Json::parse(reply.body, nullptr, /*allow_exceptions=*/false));
  } else {
    session.out() << id << " was asked to end\n";
  }
  return kExitOk;
}

// "accepted, 3 before it" while it waits.
std::string StateOf(const Json& operation) {
  const bool waits = operation.contains("position") && operation["position"].is_number();
  return TextOf(operation, "state") +
         (waits ? ", " + operation["position"].dump() + " before it" : "");
}

Result<int> RunOperations(Session& session, const OperationsOptions& options) {
  if (options.words.size() == 2 && options.words[0] == "cancel")
    return CancelOperation(session, options.words[1]);
  if (!options.words.empty() && options.words != std::vector<std::string>{"list"}) {
    return InvalidArgument(
        "reading the command: expected `emend operations`, `emend operations list` or `emend "
        "operations cancel ID`");
  }
  EMEND_ASSIGN_OR_RETURN(const Json page,
                         session.Get("/api/v1/operations?limit=" + std::to_string(options.count)));
  if (session.json()) {
    session.Print(page);
    return kExitOk;
  }
  std::vector<std::vector<std::string>> rows = {
      {"OPERATION", "KIND", "REPO", "STATE", "PRIORITY", "ACCEPTED", "ERROR"}};
  for (const Json& operation : page.value("items", Json::array())) {
    rows.push_back({TextOf(operation, "id"), TextOf(operation, "kind"), TextOf(operation, "repo"),
                    StateOf(operation), TextOf(operation, "priority"),
                    TextOf(operation, "accepted").substr(0, 19),
                    TextOf(operation.value("error", Json()), "code")});
  }
  session.out() << RenderTable(rows);
  return kExitOk;
}

Result<int> RunAudit(Session& session, const AuditOptions& options) {
  const std::string position =
      options.after    ? "order=oldest&after=" + std::to_string(*options.after)
      : options.before ? "order=newest&after=" + std::to_string(*options.before)
                       : "order=newest";
  EMEND_ASSIGN_OR_RETURN(const Json page, session.Get("/api/v1/audit?" + position +
                                                      "&limit=" + std::to_string(options.count)));
  if (session.json()) {
    session.Print(page);
    return kExitOk;
  }
  std::vector<std::vector<std::string>> rows = {{"SEQUENCE", "TIME", "PRINCIPAL", "ACT", "IDS"}};
  for (const Json& entry : page.value("items", Json::array())) {
    std::string ids;
    for (const Json& id : entry.value("ids", Json::array()))
      ids += (ids.empty() ? "" : " ") + TextOf(id, "name") + "=" + TextOf(id, "id").substr(0, 20);
    rows.push_back({std::to_string(static_cast<long>(NumberOf(entry, "sequence"))),
                    TextOf(entry, "time").substr(0, 19), TextOf(entry, "principal"),
                    TextOf(entry, "act"), ids});
  }
  session.out() << RenderTable(rows);
  if (const std::string next = TextOf(page, "next"); !next.empty())
    session.Hint(std::string("emend audit ") + (options.after ? "--after " : "--before ") + next);
  return kExitOk;
}

Result<int> RunVersion(Session& session, const NoOptions&) {
  const Result<Json> server = session.Get("/api/v1/version");
  const std::string server_version = server.ok() ? TextOf(*server, "version") : "";
  if (session.json()) {
    session.Print(
        {{"version", EMEND_VERSION}, {"server", server.ok() ? Json(server_version) : Json()}});
    return kExitOk;
  }
  session.out() << "emend " << EMEND_VERSION << "\n";
  session.out() << (server.ok() ? "server " + server_version : "no server answers") << "\n";
  return kExitOk;
}

}  // namespace

void AddServerVerbs(CLI::App& app, Action& chosen) {
  const auto up =
      Bind<UpOptions>(app, chosen, "up",
                      "Start emendd on a store, with workers, and wait until it is ready", RunUp);
  up.verb->add_option(
      "--listen", up.options->listen,
      "address for REST, such as 127.0.0.1:8321; port 0, the default, takes a free one");
  up.verb
      ->add_option("--workers", up.options->workers,
                   "workers to start, 1 if not given; 0: others dial in")
      ->check(CLI::Range(0, 256));
  up.verb
      ->add_option("--ranks", up.options->ranks,
                   "processes of each worker, which hold one model together, 1 if not given")
      ->check(CLI::Range(1, 64));
  up.verb
      ->add_option("--threads", up.options->threads,
                   "threads of each process; 0, the default: cores / processes")
      ->check(CLI::Range(0, 1024));
  up.verb->add_option(
      "--model-root", up.options->model_roots,
      "imports and exports must lie below one of these; the whole file system if none is named");
  Bind<NoOptions>(app, chosen, "down", "Stop the emendd of a store and wait until it is gone",
                  RunDown);
  Bind<NoOptions>(app, chosen, "status", "Show repos with their heads, and workers", RunStatus);
  const auto operations = Bind<OperationsOptions>(
      app, chosen, "operations",
      "List long work, newest first, or cancel some: operations cancel ID", RunOperations);
  operations.verb->add_option("ACTION", operations.options->words, "list, or: cancel ID")
      ->expected(0, 2);
  operations.verb->add_option("-n", operations.options->count, "how many")
      ->check(CLI::Range(1, 1000))
      ->capture_default_str();
  const auto audit =
      Bind<AuditOptions>(app, chosen, "audit", "Show who did what, newest first", RunAudit);
  audit.verb->add_option("--before", audit.options->before,
                         "only what is older than this sequence number");
  audit.verb
      ->add_option("--after", audit.options->after,
                   "oldest first, from behind this sequence number")
      ->excludes("--before");
  audit.verb->add_option("-n", audit.options->count, "how many")
      ->check(CLI::Range(1, 500))
      ->capture_default_str();
  const auto repair = Bind<RepairOptions>(
      app, chosen, "repair", "Mend a store that emendd refuses, and say what is lost", RunRepair);
  repair.verb->add_flag("--accept-loss", repair.options->accept_loss,
                        "repair although acknowledged changes are lost");
  Bind<NoOptions>(app, chosen, "version", "Show the versions of this program and of the server",
                  RunVersion);
}

}  // namespace emend::api::cli
