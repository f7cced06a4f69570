#include "api/rest/handlers.h"
#include "api/rest/render.h"

namespace emend::api::rest {
namespace {

Awaitable<Json> RenderRepo(HandlerContext* context, storage::history::RepoRecord record) {
  const Result<CommitId> head = co_await context->service->Resolve(record.name, "main");
  co_return Json{{"repo", record.name.value()},
                 {"base", record.base.Hex()},
                 {"head", head.ok() ? Json(head->Hex()) : Json()},
                 {"created", RenderTime(record.created_ms)}};
}

}  // namespace

Awaitable<Result<Response>> ListRepos(HandlerContext* context, Request) {
  EMEND_CO_ASSIGN_OR_RETURN(const auto records, co_await context->service->ListRepos());
  Json items = Json::array();
  for (const auto& record : records) items.push_back(co_await RenderRepo(context, record));
  co_return JsonResponse(200, {{"items", std::move(items)}, {"next", nullptr}});
}

Awaitable<Result<Response>> ReadRepo(HandlerContext* context, Request request) {
  EMEND_CO_ASSIGN_OR_RETURN(auto record, co_await context->service->ReadRepo(request.repo()));
  co_return JsonResponse(200, co_await RenderRepo(context, std::move(record)));
}

Awaitable<Result<Response>> ListStatistics(HandlerContext* context, Request request) {
  EMEND_CO_ASSIGN_OR_RETURN(const auto infos,
                            co_await context->service->ListStatistics(request.repo()));
  Json items = Json::array();
  for (const auto& info : infos) items.push_back(RenderStatistics(info));
  co_return JsonResponse(200, {{"items", std::move(items)}, {"next", nullptr}});
}

}  // namespace emend::api::rest
