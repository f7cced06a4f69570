// Request and response as handlers see them: no HTTP library in sight, so that handlers are tested
// and read without one.
//
// Values; the views in a Request's maps are decoded texts (percent-encoding is undone, UTF-8 is
// checked).
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "coordinator/answers/answer_service.h"
#include "storage/base/runtime.h"

namespace emend::api::rest {

struct Route;

using HeaderMap = std::map<std::string, std::string>;  // names in lower case

struct Request {
  const Route* route = nullptr;
  coordinator::answers::Caller caller;
  std::string path;                          // as sent, without the query
  std::map<std::string, std::string> place;  // path parameters
  std::map<std::string, std::string> query;
  HeaderMap headers;
  std::string body;
  std::function<bool()> client_left;  // asked by handlers that take long; may be empty

  // The value of a query parameter or header, "" if it is not there.
  std::string Query(const std::string& name) const;
  std::string Header(const std::string& name) const;
  RepoName repo() const { return RepoName(place.at("repo")); }
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
