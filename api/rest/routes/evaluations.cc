#include "api/rest/operation.h"
#include "api/rest/routes/routes.h"

namespace emend::api::rest {

std::vector<Route> EvaluationRoutes() {
  return {SubmissionRoute({.pattern = "/api/v1/repos/{repo}/evaluations",
                           .operation_id = "createEvaluation",
                           .scope = Scope::kAsk,
                           .body = BulkBody("EvaluationRequest"),
                           .kind = "evaluation"})};
}

}  // namespace emend::api::rest
