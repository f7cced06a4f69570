#include "api/rest/on_store.h"
#include "api/rest/operation.h"
#include "api/rest/page.h"
#include "coordinator/store/statistics_table.h"

namespace emend::api::rest {
namespace {

using coordinator::store::StatisticsRecord;

Json RenderStatistics(const StatisticsRecord& record) {
  return {{"id", record.id},
          {"layers", record.layers},
          {"tokens", record.tokens},
          {"created", RenderTime(record.created_ms)}};
}

// Newest first.
Awaitable<Result<Response>> ListStatistics(HandlerContext* context, Request request) {
  EMEND_CO_ASSIGN_OR_RETURN(
      auto records, co_await InRepo(context, request.repo(), [](const Repository& repo) {
        return coordinator::store::ListStatistics(repo.objects().store(), repo.record().id);
      }));
  const auto key = [](const StatisticsRecord& record) {
    return RenderTime(record.created_ms) + "/" + record.id;
  };
  co_return PageResponse(PageAfter(request, std::move(records), key, std::greater<>()),
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
