#include "api/rest/operation.h"
#include "api/rest/page.h"

namespace emend::api::rest {
namespace {

Json RenderStatistics(const coordinator::server::StatisticsInfo& info) {
  return {{"id", info.id},
          {"layers", info.layers},
          {"tokens", info.tokens},
          {"created", RenderTime(info.created_ms)}};
}

// Newest first.
Awaitable<Result<Response>> ListStatistics(HandlerContext* context, Request request) {
  EMEND_CO_ASSIGN_OR_RETURN(auto infos, co_await context->service->ListStatistics(request.repo()));
  const auto key = [](const auto& info) { return RenderTime(info.created_ms) + "/" + info.id; };
  co_return PageResponse(PageAfter(request, std::move(infos), key, std::greater<>()),
                         RenderStatistics);
}

}  // namespace

std::vector<Route> StatisticsRoutes() {
  return {{.method = Method::kGet,
           .pattern = "/api/v1/repos/{repo}/statistics",
           .operation_id = "listStatistics",
           .summary = "Key covariances of the repo",
           .scope = Scope::kRead,
           .parameters = {kRepo, kLimit, kAfterKey},
           .answer = {200, "StatisticsPage"},
           .failures = {404},
           .handler = ListStatistics},
          SubmissionRoute({.pattern = "/api/v1/repos/{repo}/statistics",
                           .operation_id = "createStatistics",
                           .summary = "Compute key covariances; result Statistics",
                           .scope = Scope::kMerge,
                           .body = BulkBody("StatisticsRequest"),
                           .kind = "statistics"})};
}

}  // namespace emend::api::rest
