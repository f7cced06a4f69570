// The route table: every route with its operation id, scope, body and parameters, and how a target
// finds its route.
//
//   {Method::kGet, "/api/v1/repos/{repo}", "readRepo", Scope::kRead, Body::kNone, 200, {},
//   ReadRepo},
//
// A Route cannot be made without a scope: RequiredScope has no default. api/openapi/emend.yaml is
// held to this table by a test, both ways. Immutable after start; thread-safe.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "api/rest/message.h"

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

enum class Body { kNone, kJson, kBulkJson };
inline constexpr std::size_t kJsonBytesMax = std::size_t{1} << 20;
inline constexpr std::size_t kBulkBytesMax = std::size_t{64} << 20;
std::size_t BodyBytesMax(Body body);

struct HandlerContext;
using Handler = Awaitable<Result<Response>> (*)(HandlerContext* context, Request request);

struct Route {
  Method method;
  std::string_view pattern;  // "{name}" is one segment, "{name...}" one or more
  std::string_view operation_id;
  RequiredScope scope;
  Body body;
  int success;                          // HTTP status
  std::vector<std::string_view> query;  // parameters that it knows; others are refused
  Handler handler;
};

// In order of precedence: the first pattern that fits a path is its resource.
const std::vector<Route>& Routes();
// Those of an AnswerService.
const std::vector<Route>& AnswerRoutes();

struct RouteMatch {
  const Route* route = nullptr;              // null: no such resource, or not with this method
  std::vector<Method> allowed;               // of the resource; empty: there is none
  std::map<std::string, std::string> place;  // path parameters
};
RouteMatch FindRoute(const std::vector<Route>& routes, std::optional<Method> method,
                     const std::vector<std::string>& segments);

}  // namespace emend::api::rest
