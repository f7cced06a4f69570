#include "api/cli/session.h"

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <limits>

#include "api/cli/interrupt.h"
#include "api/cli/progress.h"
#include "api/cli/text.h"
#include "api/daemon/launch.h"
#include "storage/base/digest.h"
#include "storage/base/file_system.h"
#include "storage/base/random.h"
#include "storage/base/reason.h"

namespace emend::api::cli {
namespace {

constexpr const char* kDefaultServerHint =
    "no server is known here; start one with `emend up --store DIR`, or name one with --server URL "
    "--token TOKEN, EMEND_SERVER and EMEND_TOKEN, or --store DIR";

Result<Json> ParseBody(const std::string& body) {
  if (body.empty()) return Json();
  Json json = Json::parse(body, nullptr, /*allow_exceptions=*/false);
  if (json.is_discarded()) return Internal("reading the server's answer: it is no JSON");
  return json;
}

std::string QueryOf(const SubmitOptions& options) {
  return "?priority=" + client::EncodeSegment(options.priority) +
         (options.timeout == 0 ? "" : "&timeout=" + std::to_string(options.timeout));
}

std::string NewIdempotencyKey() {
  SystemRandom random;
  return Sha256(random.Bytes(16)).Hex().substr(0, 32);
}

}  // namespace

void PrintLeftOut(const Session& session, const Json& result) {
  for (const Json& thing : result.value("left_out", Json::array()))
    session.out() << "left out: " << TextOf(thing, "name") << " (" << TextOf(thing, "why") << ")\n";
}

std::string RepoPath(const std::string& repo, const std::string& rest) {
  return "/api/v1/repos/" + client::EncodeSegment(repo) + rest;
}

std::string TextOf(const Json& document, const char* name) {
  if (!document.is_object()) return "";
  const auto found = document.find(name);
  return found != document.end() && found->is_string() ? found->get<std::string>() : "";
}

double NumberOf(const Json& document, const char* name) {
  if (!document.is_object()) return 0;
  const auto found = document.find(name);
  return found != document.end() && found->is_number() ? found->get<double>() : 0;
}

std::string Session::LastStorePath() const {
  const std::string state = terminal_.environment("XDG_STATE_HOME");
  const std::string home = terminal_.environment("HOME");
  if (state.empty() && home.empty()) return "";
  return (state.empty() ? home + "/.local/state" : state) + "/emend/last-store";
}

void Session::RememberStore(const std::string& store) const {
  const std::string path = LastStorePath();
  PosixFileSystem files;
  if (path.empty() || !files.CreateFolders(path.substr(0, path.rfind('/'))).ok()) return;
  static_cast<void>(files.WriteAtomically(path, store + "\n", 0600));
}

std::string Session::RememberedStore() const {
  PosixFileSystem files;
  const Result<std::string> text = files.Read(LastStorePath());
  return text.ok() ? text->substr(0, text->find('\n')) : "";
}

Result<std::string> Session::NamedStore() const {
  const std::string named =
      options_.store.empty() ? terminal_.environment("EMEND_STORE") : options_.store;
  if (named.empty())
    return InvalidArgument("no store was named: say --store DIR, or set EMEND_STORE");
  std::error_code error;
  const std::string path =
      std::filesystem::weakly_canonical(std::filesystem::absolute(named, error), error).string();
  if (error) return InvalidArgument("finding the store " + named + ": " + error.message());
  return path;
}

Result<Session::Server> Session::Resolve() const {
  client::ClientOptions resolved{.url = options_.server, .token = options_.token};
  if (resolved.url.empty() && options_.store.empty())
    resolved.url = terminal_.environment("EMEND_SERVER");
  if (resolved.token.empty()) resolved.token = terminal_.environment("EMEND_TOKEN");
  if (!resolved.url.empty()) return Server{std::move(resolved), ""};
  const Result<std::string> named = NamedStore();
  const std::string store = named.ok() ? *named : RememberedStore();
  if (store.empty()) return Status(StatusCode::kUnavailable, "unreachable", kDefaultServerHint);
  const Result<daemon::DaemonRecord> record = daemon::ReadDaemonRecord(store);
  if (!record.ok())
    return Status(StatusCode::kUnavailable, "unreachable", record.status().message());
  resolved.url = record->url;
  // The store's own token, unless one was typed: EMEND_TOKEN may belong to another server.
  if (options_.token.empty()) {
    EMEND_ASSIGN_OR_RETURN(resolved.token, daemon::ReadFirstToken(*record));
  }
  return Server{std::move(resolved), store};
}

void Session::SayServer(const Server& server) const {
  if (effect_ == Effect::kReads || json() || options_.quiet) return;
  *terminal_.err << "server: " << server.options.url
                 << (server.store.empty() ? "" : ", store " + server.store) << '\n';
}

Result<client::Client*> Session::Connect() {
  if (!client_) {
    EMEND_ASSIGN_OR_RETURN(const Server server, Resolve());
    SayServer(server);
    url_ = server.options.url;
    client_.emplace(server.options);
  }
  return &*client_;
}

bool Session::Reconnect() {
  const Result<Server> server = Resolve();
  if (!server.ok()) return false;
  url_ = server->options.url;
  client_.emplace(server->options);
  return true;
}

Result<Answer> Session::Send(const client::Call& call) {
  EMEND_ASSIGN_OR_RETURN(const client::Client* connected, Connect());
  EMEND_ASSIGN_OR_RETURN(const client::Reply reply, connected->Send(call));
  EMEND_ASSIGN_OR_RETURN(Json body, ParseBody(reply.body));
  return Answer{std::move(body), reply.etag, reply.operation_id};
}

Result<Json> Session::Get(const std::string& path) {
  EMEND_ASSIGN_OR_RETURN(Answer answer,
                         Send({.method = "GET", .path = path, .body = "", .headers = {}}));
  return std::move(answer.body);
}

Result<Json> Session::GetPages(const std::string& path, std::uint64_t count, std::string after) {
  constexpr std::uint64_t kPage = 500;
  const std::string begin = path + (path.find('?') == std::string::npos ? "?" : "&") + "limit=";
  Json items = Json::array();
  Json next;
  do {
    const std::string limit = std::to_string(std::min(count - items.size(), kPage));
    const std::string position = after.empty() ? "" : "&after=" + client::EncodeSegment(after);
    EMEND_ASSIGN_OR_RETURN(const Json page, Get(begin + limit + position));
    for (const Json& item : page.value("items", Json::array())) items.push_back(item);
    next = page.value("next", Json());
    if (next.is_string()) after = next.get<std::string>();
  } while (next.is_string() && items.size() < count);
  return Json{{"items", std::move(items)}, {"next", std::move(next)}};
}

Result<Json> Session::GetAll(const std::string& path) {
  return GetPages(path, std::numeric_limits<std::uint64_t>::max());
}

Status Session::Stream(const std::string& path, const Json& body,
                       const std::function<Status(const client::Event&)>& on_event) {
  EMEND_ASSIGN_OR_RETURN(client::Client * client, Connect());
  return client->Stream({.method = "POST",
                         .path = path,
                         .body = body.dump(-1, ' ', false, Json::error_handler_t::replace),
                         .headers = {}},
                        on_event);
}

Result<Json> Session::Post(const std::string& path, const Json& body) {
  const std::string text = body.dump(-1, ' ', false, Json::error_handler_t::replace);
  EMEND_ASSIGN_OR_RETURN(Answer answer,
                         Send({.method = "POST", .path = path, .body = text, .headers = {}}));
  return std::move(answer.body);
}

Result<Json> Session::Run(const std::string& path, const Json& body, const SubmitOptions& options) {
  const std::string text = body.dump(-1, ' ', false, Json::error_handler_t::replace);
  InterruptWatch interrupt;
  EMEND_ASSIGN_OR_RETURN(const Answer accepted,
                         Send({.method = "POST",
                               .path = path + QueryOf(options),
                               .body = text,
                               .headers = {{"Idempotency-Key", NewIdempotencyKey()}}}));
  if (accepted.operation_id.empty())
    return Internal("submitting to " + path + ": the server's answer has no Location");
  ProgressBar bar(terminal_, options_.quiet || (options_.json && !terminal_.err_is_terminal));
  const auto show = [&](const client::OperationUpdate& update) {
    bar.Show(update);
    if (!interrupt.CameNow()) return;
    bar.Clear();
    *terminal_.err << "cancelling " << accepted.operation_id
                   << "; Ctrl-C again leaves it to itself (`emend operations`)\n";
    if (const auto cancelled = Cancel(accepted.operation_id); !cancelled.ok())
      *terminal_.err << "emend: " << cancelled.status().message() << "\n";
  };
  Result<std::string> result = client_->WaitForOperation(accepted.operation_id, show);
  // A restarted emendd takes the operation up again, perhaps on another port.
  if (!result.ok() && ReasonOf(result.status()) == Reason::kUnreachable && Reconnect())
    result = client_->WaitForOperation(accepted.operation_id, show);
  if (!result.ok() && ReasonOf(result.status()) == Reason::kUnreachable) {
    return result.status().WithContext(
        "waiting for " + accepted.operation_id +
        ", which was accepted and goes on when emendd is back (`emend operations`)");
  }
  if (!result.ok()) return result.status();
  return ParseBody(*result);
}

Result<Json> Session::Cancel(const std::string& operation) {
  EMEND_ASSIGN_OR_RETURN(Answer answer,
                         Send({.method = "DELETE",
                               .path = "/api/v1/operations/" + client::EncodeSegment(operation),
                               .body = "",
                               .headers = {}}));
  return std::move(answer.body);
}

Result<int> Session::BecomeEmendd(std::vector<std::string> arguments) const {
  EMEND_ASSIGN_OR_RETURN(const std::string store, NamedStore());
  const std::string program = terminal_.program_folder + "/emendd";
  arguments.insert(arguments.begin(), {program, "--store", store});
  if (options_.json) arguments.emplace_back("--json");
  std::vector<char*> argv;
  for (std::string& argument : arguments) argv.push_back(argument.data());
  argv.push_back(nullptr);
  execv(program.c_str(), argv.data());
  return Unavailable("starting \"" + program + "\": " + std::strerror(errno));
}

void Session::Print(Json document) const {
  if (effect_ != Effect::kReads && !url_.empty() && document.is_object()) document["server"] = url_;
  out() << document.dump(-1, ' ', false, Json::error_handler_t::replace) << '\n';
}

void Session::Hint(const std::string& command, const std::string& why) {
  const std::string where = !options_.server.empty()  ? " --server " + ShellWord(options_.server)
                            : !options_.store.empty() ? " --store " + ShellWord(options_.store)
                                                      : "";
  hints_.push_back("emend" + where + " " + command + (why.empty() ? "" : "  # " + why));
}

void Session::PrintHints() const {
  if (json() || options_.quiet) return;
  for (const std::string& hint : hints_) *terminal_.err << "next: " << hint << '\n';
}

void Session::Warn(const std::vector<std::string>& warnings) const {
  if (json()) return;
  for (const std::string& warning : warnings) *terminal_.err << "warning: " << warning << '\n';
}

}  // namespace emend::api::cli
