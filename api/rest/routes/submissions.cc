// What submits an operation and does nothing else: a row each.
#include <algorithm>
#include <array>

#include "api/rest/operation.h"

namespace emend::api::rest {
namespace {

constexpr std::array kSubmissions = {
    SubmissionOptions{.pattern = "/api/v1/repos/{repo}/evaluations",
                      .operation_id = "createEvaluation",
                      .summary = "Score a revision on facts; result Evaluated",
                      .scope = Scope::kAsk,
                      .body = BulkBody("EvaluationRequest"),
                      .kind = "evaluation"},
    SubmissionOptions{.pattern = "/api/v1/repos/{repo}/blames",
                      .operation_id = "createBlame",
                      .summary = "Find the edits that an answer comes from; result Blamed",
                      .scope = Scope::kRead,
                      .body = JsonBody("BlameRequest"),
                      .kind = "blame"},
    SubmissionOptions{.pattern = "/api/v1/repos/{repo}/tunings",
                      .operation_id = "createTuning",
                      .summary = "Try settings on facts, keep the best as the preset; result Tuned",
                      .scope = Scope::kMerge,
                      .body = BulkBody("TuneRequest"),
                      .kind = "tune"},
    SubmissionOptions{
        .pattern = "/api/v1/repos/{repo}/verifications",
        .operation_id = "createVerification",
        .summary = "Compare live bytes, an independent rebuild and the manifest; result Verified",
        .scope = Scope::kRead,
        .body = JsonBody("VerifyRequest"),
        .kind = "verify"},
    SubmissionOptions{.pattern = "/api/v1/repos/{repo}/reverts",
                      .operation_id = "createRevert",
                      .summary = "Take a commit's edits out, as a new commit; result Reverted",
                      .scope = Scope::kMerge,
                      .body = JsonBody("RevertRequest"),
                      .kind = "revert"},
    SubmissionOptions{.pattern = "/api/v1/repos/{repo}/refits",
                      .operation_id = "createRefit",
                      .summary = "Solve a branch's facts again as one batch; result Refitted",
                      .scope = Scope::kMerge,
                      .body = JsonBody("RefitRequest"),
                      .kind = "refit"},
    SubmissionOptions{.pattern = "/api/v1/repos/{repo}/merges",
                      .operation_id = "createMerge",
                      .summary = "Bring another branch's changes into one; result Merged",
                      .scope = Scope::kMerge,
                      .body = JsonBody("MergeRequest"),
                      .kind = "merge"},
    SubmissionOptions{.pattern = "/api/v1/repos/{repo}/exports",
                      .operation_id = "createExport",
                      .summary = "Write a revision as a model's folder; result Exported",
                      .scope = Scope::kRead,
                      .body = JsonBody("ExportRequest"),
                      .kind = "export"},
    SubmissionOptions{.pattern = "/api/v1/fsck",
                      .operation_id = "createFsck",
                      .summary = "Check the whole store; result Checked",
                      .scope = Scope::kAdmin,
                      .body = JsonBody("FsckRequest"),
                      .kind = "fsck"},
    SubmissionOptions{
        .pattern = "/api/v1/repos/{repo}/removals",
        .operation_id = "removeRepo",
        .summary = "Take a repo with all its history out of the store; result Removed",
        .scope = Scope::kAdmin,
        .body = JsonBody("RemovalRequest"),
        .kind = "removal"}};

}  // namespace

std::vector<Route> SubmissionRoutes() {
  std::vector<Route> routes;
  std::ranges::transform(kSubmissions, std::back_inserter(routes), SubmissionRoute);
  return routes;
}

}  // namespace emend::api::rest
