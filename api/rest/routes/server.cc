#include "api/rest/handler.h"
#include "api/rest/render.h"

namespace emend::api::rest {
namespace {

Awaitable<Result<Response>> ReadVersion(HandlerContext* context, Request) {
  co_return JsonResponse(200, {{"name", "emend"}, {"version", context->version}, {"api", "v1"}});
}

Awaitable<Result<Response>> ReadOpenApi(HandlerContext* context, Request) {
  Response response;
  response.body = context->openapi_json;
  co_return response;
}

Awaitable<Result<Response>> ReadLiveness(HandlerContext*, Request) {
  co_return JsonResponse(200, {{"status", "alive"}});
}

Awaitable<Result<Response>> ReadReadiness(HandlerContext* context, Request) {
  if (context->stopping)
    co_return Status(StatusCode::kUnavailable, "stopping", "the server is stopping");
  const Status ready = context->answers->Ready();
  if (!ready.ok()) co_return Status(StatusCode::kUnavailable, "not_ready", ready.message());
  co_return JsonResponse(200, {{"status", "ready"}});
}

}  // namespace

std::vector<Route> ServerRoutes() {
  return {{.method = Method::kGet,
           .pattern = "/livez",
           .operation_id = "readLiveness",
           .summary = "The process answers",
           .scope = Scope::kPublic,
           .answer = {200, "Health"},
           .is_answering = true,
           .handler = ReadLiveness},
          {.method = Method::kGet,
           .pattern = "/readyz",
           .operation_id = "readReadiness",
           .summary = "Store and workers are ready; 503 says what is missing",
           .scope = Scope::kPublic,
           .answer = {200, "Health"},
           .failures = {503},
           .is_answering = true,
           .handler = ReadReadiness},
          {.method = Method::kGet,
           .pattern = "/openapi.json",
           .operation_id = "readOpenApi",
           .summary = "This description",
           .scope = Scope::kPublic,
           .answer = {200, "Description"},
           .is_answering = true,
           .handler = ReadOpenApi},
          {.method = Method::kGet,
           .pattern = "/api/v1/version",
           .operation_id = "readVersion",
           .summary = "Version of the server",
           .scope = Scope::kRead,
           .answer = {200, "Version"},
           .handler = ReadVersion}};
}

}  // namespace emend::api::rest
