// Request and response as handlers see them: no HTTP library in sight, so that handlers are tested
// and read without one. Texts are decoded (percent-encoding is undone, UTF-8 is checked). Values.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "api/rest/parameter.h"
#include "coordinator/answers/answer_service.h"
#include "storage/base/runtime.h"

namespace emend::api::rest {

struct Route;

using HeaderMap = std::map<std::string, std::string>;  // names in lower case

struct Request {
  const Route* route = nullptr;
  coordinator::answers::Caller caller;
  std::string path;  // as sent, without the query
  Values values;     // of the route's parameters, by their names
  std::string body;
  std::function<bool()> client_left;  // asked by handlers that take long; may be empty

  bool Has(const std::string& parameter) const { return values.contains(parameter); }
  // A parameter's text, "" where it was not sent and has no fallback.
  std::string Text(const std::string& parameter) const;
  // REQUIRES: a whole number that was sent or has a fallback.
  std::int64_t Whole(const std::string& parameter) const;
  RepoName repo() const { return RepoName(Text("repo")); }
};

// Where an event stream writes to. Send returns kUnavailable once the client is gone or the server
// stops.
class EventSink {
 public:
  virtual ~EventSink() = default;
  virtual Awaitable<Status> Send(std::string bytes) = 0;
  virtual bool stopping() const = 0;
  // Nobody reads any more: known before the next Send says so.
  virtual bool client_left() const = 0;
};
using EventStream = std::function<Awaitable<Status>(EventSink* sink)>;

struct Response {
  int status = 200;
  std::string content_type = "application/json";
  std::string body;
  std::vector<std::pair<std::string, std::string>> headers;
  EventStream stream;  // set: the body is what this writes
};

}  // namespace emend::api::rest
