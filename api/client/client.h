// Client: emendd's REST API for programs of ours (the command line, the agent): requests, and
// operations waited for.
//
//   Client client({.url = "http://127.0.0.1:8321", .token = secret});
//   EMEND_ASSIGN_OR_RETURN(Reply accepted, client.Send({.method = "POST", .path =
//       "/api/v1/repos/atlas/commits", .body = json}));
//   EMEND_ASSIGN_OR_RETURN(std::string result, client.WaitForOperation(accepted.operation_id,
//       ShowProgress));
//
// A problem document comes back as the Status that the server had: code, slug and message. No
// server: kUnavailable ("unreachable"), with a hint. Everything else that HTTP may do wrong is
// kUnavailable or kDeadlineExceeded. Blocks; thread-safe as far as each call is independent. Path
// parts from users go through EncodeSegment.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "storage/base/status.h"

namespace emend::api::client {

struct ClientOptions {
  std::string url;    // "http://127.0.0.1:8321"
  std::string token;  // may be empty: only public routes answer then
  std::chrono::seconds timeout{120};
};

struct Call {
  std::string method = "GET";
  std::string path;  // percent-encoded, with its query: "/api/v1/repos/atlas/commits?limit=10"
  std::string body;  // JSON; empty: none
  std::vector<std::pair<std::string, std::string>> headers;
};

struct Reply {
  int http_status = 0;
  std::string body;  // JSON, or empty
  std::string etag;
  std::string operation_id;  // of a 202: the end of its Location
};

// One server-sent event.
struct Event {
  std::string name;  // "message" where it has none
  std::string data;
};

struct OperationUpdate {
  std::string id;
  std::string kind;
  std::string state;  // accepted running succeeded failed cancelled
  std::string phase;
  std::uint64_t done = 0;
  std::uint64_t total = 0;
  double eta_seconds = -1;     // negative: unknown
  std::int64_t position = -1;  // how many are before it; negative: it does not wait
};

class Client {
 public:
  explicit Client(ClientOptions options);
  ~Client();
  Client(Client&&) noexcept;
  Client& operator=(Client&&) noexcept;

  // Sends one request; a 4xx or 5xx becomes the Status of its problem document.
  Result<Reply> Send(const Call& call) const;

  // Sends one request whose answer is events, and calls `on_event` for each as it comes, until the
  // stream ends or a call fails, whose Status it then is.
  Status Stream(const Call& call, const std::function<Status(const Event&)>& on_event) const;

  // Until the operation has ended: its result (JSON), or the Status that it failed with.
  // `on_update` is called at each change that is seen, once a second at least; a server that goes
  // away for at most `patience` (a restart) is waited for.
  Result<std::string> WaitForOperation(
      const std::string& id, const std::function<void(const OperationUpdate&)>& on_update,
      std::chrono::seconds patience = std::chrono::seconds(5)) const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

// Percent-encodes everything but unreserved characters, "/" too: one path segment or query value.
std::string EncodeSegment(std::string_view text);

// The Status that a problem document stands for; `http_status` helps where the body is none.
Status StatusOfProblem(int http_status, std::string_view body);

}  // namespace emend::api::client
