#include "api/rest/routes/routes.h"

#include <algorithm>

namespace emend::api::rest {

const std::vector<Route>& Routes() {
  static const std::vector<Route> kRoutes = [] {
    std::vector<Route> routes;
    for (const auto& resource :
         {ServerRoutes, RepoRoutes, CommitRoutes, RevertRoutes, DiffRoutes, RefRoutes, AskRoutes,
          EvaluationRoutes, VerificationRoutes, ExportRoutes, StatisticsRoutes, FsckRoutes,
          OperationRoutes, AuditRoutes, CompletionRoutes, DiagnosisRoutes, WorkerRoutes,
          TokenRoutes})
      std::ranges::copy(resource(), std::back_inserter(routes));
    return routes;
  }();
  return kRoutes;
}

const std::vector<Route>& AnswerRoutes() {
  static const std::vector<Route> kAnswerRoutes = [] {
    std::vector<Route> routes = Routes();
    std::erase_if(routes, [](const Route& route) { return !route.is_answering; });
    return routes;
  }();
  return kAnswerRoutes;
}

}  // namespace emend::api::rest
