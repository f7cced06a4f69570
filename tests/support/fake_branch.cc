// What the fake service refuses at once of what is submitted to it.
#include <nlohmann/json.hpp>

#include "tests/support/fake_service.h"

namespace emend::test {

// As emendd does: a branch that a request names must be there.
Status FakeService::CheckBranch(const coordinator::server::Submission& submission) const {
  const auto body = nlohmann::json::parse(submission.body, nullptr, /*allow_exceptions=*/false);
  if (!body.is_object() || !body.contains("branch") || !body["branch"].is_string())
    return OkStatus();
  const std::string branch = body["branch"];
  if (refs_.contains({storage::history::RefKind::kBranch, branch})) return OkStatus();
  return NotFound("reading branch " + branch + " of repo atlas: there is none");
}

}  // namespace emend::test
