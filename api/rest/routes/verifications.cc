#include "api/rest/operation.h"
#include "api/rest/routes/routes.h"

namespace emend::api::rest {

std::vector<Route> VerificationRoutes() {
  return {SubmissionRoute({.pattern = "/api/v1/repos/{repo}/verifications",
                           .operation_id = "createVerification",
                           .scope = Scope::kRead,
                           .body = JsonBody("VerifyRequest"),
                           .kind = "verify"})};
}

}  // namespace emend::api::rest
