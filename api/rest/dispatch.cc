#include "api/rest/dispatch.h"

#include <algorithm>
#include <exception>

#include "api/rest/problem.h"
#include "api/rest/target.h"
#include "storage/base/log.h"
#include "storage/base/utf8.h"

namespace emend::api::rest {
namespace {

using Decision = std::variant<Admission, Response>;

std::optional<Method> ParseMethod(std::string_view name) {
  if (name == "GET" || name == "HEAD") return Method::kGet;
  if (name == "POST") return Method::kPost;
  if (name == "PUT") return Method::kPut;
  if (name == "DELETE") return Method::kDelete;
  return std::nullopt;
}

Response MethodNotAllowed(const std::vector<Method>& allowed, const std::string& method,
                          const std::string& path) {
  std::string list;
  for (const Method one : allowed)
    list += (list.empty() ? "" : ", ") + std::string(MethodName(one)) +
            (one == Method::kGet ? ", HEAD" : "");
  Response response = ProblemResponse({StatusCode::kUnsupported, "method_not_allowed",
                                       method + " was asked of " + path + ", which knows " + list},
                                      path);
  response.headers.emplace_back("Allow", list);
  return response;
}

std::string ToLower(std::string text) {
  std::ranges::transform(text, text.begin(),
                         [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return text;
}

// Clients of OpenAI's API look for more than is here.
Status NoResource(std::string_view path) {
  const std::string missing = "there is no resource " + Shortened(path);
  if (!path.starts_with("/v1/")) return NotFound(missing + "; /openapi.json lists those there are");
  return NotFound(missing +
                  "; of OpenAI's API, /v1/chat/completions, /v1/completions and /v1/models are "
                  "served");
}

Result<std::string> BearerSecret(const HeaderMap& headers) {
  const auto found = headers.find("authorization");
  constexpr std::string_view kScheme = "bearer ";
  const std::string scheme =
      ToLower(found == headers.end() ? "" : found->second.substr(0, kScheme.size()));
  if (scheme != kScheme) {
    return Status(StatusCode::kUnauthenticated,
                  "this route needs a token: send \"Authorization: Bearer TOKEN\"; emend up prints "
                  "where the store's token lies");
  }
  return found->second.substr(kScheme.size());
}

Awaitable<Status> Authorize(HandlerContext* context, const Route* route, const HeaderMap* headers,
                            coordinator::answers::Caller* caller) {
  const Scope scope = route->scope.value();
  if (scope == Scope::kPublic) co_return OkStatus();
  EMEND_CO_ASSIGN_OR_RETURN(std::string secret, BearerSecret(*headers));
  EMEND_CO_ASSIGN_OR_RETURN(*caller, co_await context->answers->Authenticate(std::move(secret)));
  if (std::ranges::find(caller->scopes, ScopeName(scope)) != caller->scopes.end())
    co_return OkStatus();
  co_return Status(StatusCode::kPermissionDenied, "missing_scope",
                   std::string(route->operation_id) + " needs the scope \"" +
                       std::string(ScopeName(scope)) + "\", which the token of " +
                       caller->principal.name + " does not have");
}

Status CheckMediaType(const Route& route, const HeaderMap& headers) {
  if (route.body.schema.empty()) return OkStatus();
  const auto found = headers.find("content-type");
  std::string type = found == headers.end() ? "" : found->second.substr(0, found->second.find(';'));
  while (type.ends_with(' ')) type.pop_back();
  type = ToLower(type);
  if (type != "application/json" || headers.contains("content-encoding")) {
    return {
        StatusCode::kInvalidArgument, "unsupported_media_type",
        "found the content type \"" + type +
            "\", expected application/json without a content encoding (and a body, {} at least)"};
  }
  return OkStatus();
}

}  // namespace

Awaitable<Decision> Admit(HandlerContext* context, Head head) {
  Result<Target> target = ParseTarget(head.target);
  if (!target.ok()) co_return ProblemResponse(target.status(), "");
  const RouteMatch match = FindRoute(*context->routes, ParseMethod(head.method), target->segments);
  if (match.allowed.empty()) co_return ProblemResponse(NoResource(target->path), target->path);
  if (match.route == nullptr) co_return MethodNotAllowed(match.allowed, head.method, target->path);
  Admission admission{.request = {.route = match.route,
                                  .caller = {},
                                  .path = target->path,
                                  .values = {},
                                  .body = {},
                                  .client_left = {}},
                      .body_bytes_max = match.route->body.bytes_max};
  Status status =
      co_await Authorize(context, match.route, &head.headers, &admission.request.caller);
  if (status.ok()) status = CheckMediaType(*match.route, head.headers);
  if (!status.ok()) co_return ProblemResponse(status, target->path);
  Result<Values> values = ReadParameters(match.route->operation_id, match.route->parameters,
                                         match.place, target->query, head.headers);
  if (!values.ok()) co_return ProblemResponse(values.status(), target->path);
  admission.request.values = std::move(*values);
  const auto expect = head.headers.find("expect");
  admission.expects_continue =
      expect != head.headers.end() && ToLower(expect->second) == "100-continue";
  co_return admission;
}

Awaitable<Response> Handle(HandlerContext* context, Request request) {
  const Route* const route = request.route;
  const std::string path = request.path;
  std::string escaped;
  try {
    Result<Response> result = co_await route->handler(context, std::move(request));
    if (result.ok()) co_return std::move(result).value();
    if (result.status().code() == StatusCode::kInternal)
      LogError("request_failed",
               {{"operation", route->operation_id}, {"path", path}, {"status", result.status()}});
    co_return ProblemResponse(result.status(), path);
  } catch (const std::exception& error) {
    escaped = error.what();
  }
  LogError("handler_threw",
           {{"operation", route->operation_id}, {"path", path}, {"what", escaped}});
  co_return ProblemResponse(Internal("answering " + std::string(route->operation_id) +
                                     " failed; the server's log says more"),
                            path);
}

}  // namespace emend::api::rest
