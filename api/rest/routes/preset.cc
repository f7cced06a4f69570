// The preset of a repo's commits, which tuning makes.
#include "coordinator/store/preset.h"
#include "api/rest/on_store.h"
#include "api/rest/render.h"

namespace emend::api::rest {
namespace {

Json RenderPreset(const coordinator::store::PresetRecord& record) {
  Json json = {{"method", record.method},
               {"settings", RenderSettings(record.settings)},
               {"principal", record.principal},
               {"created", RenderTime(record.created_ms)}};
  json.update(Json::parse(record.measures));
  return json;
}

Awaitable<Result<Response>> ReadPreset(HandlerContext* context, Request request) {
  EMEND_CO_ASSIGN_OR_RETURN(const auto record,
                            co_await InRepo(context, request.repo(), [](const Repository& repo) {
                              return coordinator::store::ReadPreset(repo);
                            }));
  co_return JsonResponse(200, RenderPreset(record));
}

Awaitable<Result<Response>> DeletePreset(HandlerContext* context, Request request) {
  EMEND_CO_RETURN_IF_ERROR(co_await OnStore(context, [&](Journal& journal) {
    return coordinator::store::RemovePreset(journal, request.caller, request.repo());
  }));
  co_return Response{.status = 204, .content_type = "", .body = "", .headers = {}, .stream = {}};
}

}  // namespace

std::vector<Route> PresetRoutes() {
  return {{.method = Method::kGet,
           .pattern = "/api/v1/repos/{repo}/preset",
           .operation_id = "readPreset",
           .summary = "What commits are solved by where they set nothing else",
           .scope = Scope::kRead,
           .parameters = {kRepo},
           .answer = {200, "Preset"},
           .failures = {404},
           .handler = ReadPreset},
          {.method = Method::kDelete,
           .pattern = "/api/v1/repos/{repo}/preset",
           .operation_id = "deletePreset",
           .summary = "Let commits be solved by the defaults again",
           .scope = Scope::kMerge,
           .parameters = {kRepo},
           .answer = {204, ""},
           .failures = {404},
           .handler = DeletePreset}};
}

}  // namespace emend::api::rest
