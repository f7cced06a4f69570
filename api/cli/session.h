// What every verb works with: the terminal, the global options, and the server that they lead to.
// Inside this folder only.
//
// The server comes from --server, --store, EMEND_SERVER, EMEND_STORE or the store last brought up,
// in this order; the token from --token, EMEND_TOKEN, or the store's own file. With --json a verb
// prints one document, through Print, and nothing else on standard output.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "api/cli/terminal.h"
#include "api/client/client.h"

namespace emend::api::cli {

using Json = nlohmann::ordered_json;

struct GlobalOptions {
  std::string server;
  std::string token;
  std::string store;
  bool json = false;
  bool quiet = false;
};

// What a verb does to a server. What changes something, or is about the server, says which one it
// spoke to: a line on standard error, or "server" in the document.
enum class Effect : std::uint8_t { kReads, kShowsServer, kChanges };

// What every submission takes.
struct SubmitOptions {
  std::string priority = "normal";
  std::uint64_t timeout = 0;  // seconds; 0: none
};

// What the server answered: JSON (null where there is none), and what its headers say.
struct Answer {
  Json body;
  std::string etag;          // "" if it gave none
  std::string operation_id;  // of a submission
};

class Session {
 public:
  Session(const Terminal& terminal, GlobalOptions options, Effect effect)
      : terminal_(terminal), options_(std::move(options)), effect_(effect) {}

  const Terminal& terminal() const { return terminal_; }
  const GlobalOptions& options() const { return options_; }
  bool json() const { return options_.json; }
  std::ostream& out() const { return *terminal_.out; }

  // Requests; the answer as JSON (null where there is none). kInternal if it is none.
  Result<Json> Get(const std::string& path);
  // Up to `count` items of a list, of as many pages as that takes: {"items", "next"}. `path` may
  // have a query; `after` is where the first page begins, "" for the list's beginning.
  Result<Json> GetPages(const std::string& path, std::uint64_t count, std::string after = "");
  // All of them.
  Result<Json> GetAll(const std::string& path);
  Result<Json> Post(const std::string& path, const Json& body);
  // The answer as events, each as it comes (client.h).
  Status Stream(const std::string& path, const Json& body,
                const std::function<Status(const client::Event&)>& on_event);
  Result<Answer> Send(const client::Call& call);
  Result<Json> Cancel(const std::string& operation);
  // Submits and waits, with a progress bar; the operation's result. Ctrl-C cancels the operation.
  Result<Json> Run(const std::string& path, const Json& body, const SubmitOptions& options);

  // With "server" where the verb says which one it spoke to.
  void Print(Json document) const;
  // A command for people to type next, such as "tag atlas v1 main", and what it does, shown when
  // the verb is done: "next: emend --store DIR tag atlas v1 main  # brings it back". Works when
  // typed as it stands: words from elsewhere go through ShellWord. Nothing with --json or --quiet.
  void Hint(const std::string& command, const std::string& why = "");
  void PrintHints() const;
  // A line of each on stderr; nothing with --json, whose document holds them.
  void Warn(const std::vector<std::string>& warnings) const;

  // This program becomes emendd on the named store, which alone may open it: for what is done with
  // emendd down. Returns only a failure.
  Result<int> BecomeEmendd(std::vector<std::string> arguments) const;

  // The store that up and down work on: --store or EMEND_STORE, absolute. kInvalidArgument if
  // neither is there.
  Result<std::string> NamedStore() const;
  // Makes `store` the one that later commands find by themselves; failing to is no failure of the
  // command.
  void RememberStore(const std::string& store) const;
  // The store last remembered, "" if none.
  std::string RememberedStore() const;

 private:
  Result<client::Client*> Connect();
  bool Reconnect();  // false: no server is known any more
  struct Server {
    client::ClientOptions options;
    std::string store;  // "" if it was not found by its store
  };
  Result<Server> Resolve() const;
  void SayServer(const Server& server) const;
  std::string LastStorePath() const;

  const Terminal& terminal_;
  const GlobalOptions options_;
  const Effect effect_;
  std::optional<client::Client> client_;
  std::string url_;  // of the client's server
  std::vector<std::string> hints_;
};

// "/api/v1/repos/{repo}" + rest.
std::string RepoPath(const std::string& repo, const std::string& rest = "");

// A line for each thing that a result says was left out.
void PrintLeftOut(const Session& session, const Json& result);

// Fields of documents; missing or of another type: "" or 0.
std::string TextOf(const Json& document, const char* name);
double NumberOf(const Json& document, const char* name);

}  // namespace emend::api::cli
