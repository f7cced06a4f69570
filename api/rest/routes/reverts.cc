#include "api/rest/operation.h"
#include "api/rest/routes/routes.h"

namespace emend::api::rest {

std::vector<Route> RevertRoutes() {
  return {SubmissionRoute({.pattern = "/api/v1/repos/{repo}/reverts",
                           .operation_id = "createRevert",
                           .scope = Scope::kMerge,
                           .body = JsonBody("RevertRequest"),
                           .kind = "revert"})};
}

}  // namespace emend::api::rest
