// Route: all that one resource does with one method, in one place: what it takes (parameters with
// their bounds, the body's schema), who may ask, what it answers with, and its handler.
//
//   {.method = Method::kGet,
//    .pattern = "/api/v1/repos/{repo}/commits",
//    .operation_id = "listCommits",
//    .summary = "The log, newest first",
//    .scope = Scope::kRead,
//    .parameters = {kRepo, kRevision, kLimit, kAfterCommit},
//    .answer = {200, "CommitPage"},
//    .failures = {404},
//    .handler = ListCommits}
//
// A file of routes/ holds those of a resource with their handlers and rendering; routes.cc has a
// row for each file. Parameters are read and checked before the handler runs. A Route cannot be
// made without a scope: RequiredScope has no default. The paths of the OpenAPI description are made
// from the table (description.h). Immutable after start; thread-safe.
#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "api/rest/message.h"
#include "api/rest/parameter.h"

namespace emend::api::rest {

enum class Method { kGet, kPost, kPut, kDelete };
std::string_view MethodName(Method method);

enum class Scope { kPublic, kAsk, kRead, kPropose, kReview, kMerge, kDeploy, kAdmin };
std::string_view ScopeName(Scope scope);

class RequiredScope {
 public:
  // NOLINT(google-explicit-constructor): the table reads as a table
  constexpr RequiredScope(Scope scope) : scope_(scope) {}
  constexpr Scope value() const { return scope_; }

 private:
  Scope scope_;
};

// A JSON object; without a schema there is no body.
struct Body {
  std::string_view schema;  // in api/openapi/emend.yaml
  std::size_t bytes_max = 0;
};
inline constexpr std::size_t kJsonBytesMax = std::size_t{1} << 20;
inline constexpr std::size_t kBulkBytesMax = std::size_t{64} << 20;
constexpr Body JsonBody(std::string_view schema) { return {schema, kJsonBytesMax}; }
constexpr Body BulkBody(std::string_view schema) { return {schema, kBulkBytesMax}; }

enum class Streams { kNever, kIfAsked, kAlways };  // server-sent events
struct Answer {
  int status = 200;
  std::string_view schema;  // of its JSON; empty: no body, or only events
  Streams streams = Streams::kNever;
  std::string_view header = {};  // of components/headers, that it has
  std::string_view event = {};   // schema of one event of its stream
};

struct HandlerContext;
// Gets a request that is authenticated, within its scope and bounds, whose parameters are read; it
// returns a Response, or the Status that becomes a problem document. `context` outlives every
// request.
using Handler = Awaitable<Result<Response>> (*)(HandlerContext* context, Request request);

struct Route {
  Method method;
  std::string_view pattern;  // "{name}" is one segment, "{name...}" one or more
  std::string_view operation_id;
  std::string_view summary;
  std::string_view details = {};
  RequiredScope scope;
  std::vector<Parameter> parameters = {};  // others are refused
  Body body = {};
  Answer answer;
  std::vector<int> failures = {};  // HTTP statuses beyond those that StatusesOf adds
  bool is_answering = false;       // of an AnswerService: a gateway has it, too
  std::string_view kind = {};      // of the operation that it submits (operation.h)
  Handler handler;
};

// All HTTP statuses with a description of their own.
std::set<int> StatusesOf(const Route& route);

// In order of precedence: the first pattern that fits a path is its resource.
const std::vector<Route>& Routes();
// Those of an AnswerService.
const std::vector<Route>& AnswerRoutes();

struct RouteMatch {
  const Route* route = nullptr;              // null: no such resource, or not with this method
  std::vector<Method> allowed;               // of the resource; empty: there is none
  std::map<std::string, std::string> place;  // path parameters
};
// Finds the route of a target.
RouteMatch FindRoute(const std::vector<Route>& routes, std::optional<Method> method,
                     const std::vector<std::string>& segments);

}  // namespace emend::api::rest
