#include "api/rest/operation.h"
#include "api/rest/routes/routes.h"

namespace emend::api::rest {

std::vector<Route> ExportRoutes() {
  return {SubmissionRoute({.pattern = "/api/v1/repos/{repo}/exports",
                           .operation_id = "createExport",
                           .scope = Scope::kRead,
                           .body = JsonBody("ExportRequest"),
                           .kind = "export"})};
}

}  // namespace emend::api::rest
