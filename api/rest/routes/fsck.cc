#include "api/rest/operation.h"
#include "api/rest/routes/routes.h"

namespace emend::api::rest {

std::vector<Route> FsckRoutes() {
  return {SubmissionRoute({.pattern = "/api/v1/fsck",
                           .operation_id = "createFsck",
                           .scope = Scope::kAdmin,
                           .body = JsonBody("FsckRequest"),
                           .kind = "fsck"})};
}

}  // namespace emend::api::rest
