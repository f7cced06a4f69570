#include <algorithm>

#include "api/rest/handlers.h"
#include "api/rest/router.h"

namespace emend::api::rest {

const std::vector<Route>& Routes() {
  using enum Method;
  using enum Scope;
  using enum Body;
  static const std::vector<Route> kRoutes = {
      {kGet, "/livez", "readLiveness", kPublic, kNone, 200, {}, ReadLiveness},
      {kGet, "/readyz", "readReadiness", kPublic, kNone, 200, {}, ReadReadiness},
      {kGet, "/openapi.json", "readOpenApi", kPublic, kNone, 200, {}, ReadOpenApi},
      {kGet, "/api/v1/version", "readVersion", kRead, kNone, 200, {}, ReadVersion},

      {kGet, "/api/v1/repos", "listRepos", kRead, kNone, 200, {}, ListRepos},
      {kPost, "/api/v1/repos", "importRepo", kAdmin, kJson, 202, {"wait", "priority", "timeout"}, ImportRepo},
      {kGet, "/api/v1/repos/{repo}", "readRepo", kRead, kNone, 200, {}, ReadRepo},

      {kGet, "/api/v1/repos/{repo}/commits", "listCommits", kRead, kNone, 200, {"revision", "limit", "after"}, ListCommits},
      {kPost, "/api/v1/repos/{repo}/commits", "createCommit", kMerge, kBulkJson, 202, {"wait", "priority", "timeout"}, SubmitCommit},
      {kGet, "/api/v1/repos/{repo}/commits/{revision...}", "showCommit", kRead, kNone, 200, {}, ShowCommit},
      {kPost, "/api/v1/repos/{repo}/reverts", "createRevert", kMerge, kJson, 202, {"wait", "priority", "timeout"}, SubmitRevert},
      {kGet, "/api/v1/repos/{repo}/diff", "diffCommits", kRead, kNone, 200, {"from", "to"}, DiffCommits},

      {kGet, "/api/v1/repos/{repo}/refs", "listRefs", kRead, kNone, 200, {}, ListRefs},
      {kGet, "/api/v1/repos/{repo}/branches/{name...}/reflog", "readReflog", kRead, kNone, 200, {"limit"}, ReadReflog},
      {kGet, "/api/v1/repos/{repo}/branches/{name...}", "readBranch", kRead, kNone, 200, {}, ReadBranch},
      {kPut, "/api/v1/repos/{repo}/branches/{name...}", "putBranch", kMerge, kJson, 200, {}, PutBranch},
      {kDelete, "/api/v1/repos/{repo}/branches/{name...}", "deleteBranch", kMerge, kNone, 204, {}, DeleteBranch},
      {kGet, "/api/v1/repos/{repo}/tags/{name...}", "readTag", kRead, kNone, 200, {}, ReadTag},
      {kPut, "/api/v1/repos/{repo}/tags/{name...}", "putTag", kMerge, kJson, 200, {}, PutTag},
      {kDelete, "/api/v1/repos/{repo}/tags/{name...}", "deleteTag", kMerge, kNone, 204, {}, DeleteTag},

      {kPost, "/api/v1/repos/{repo}/answers", "ask", kAsk, kJson, 200, {}, Ask},
      {kPost, "/api/v1/repos/{repo}/evaluations", "createEvaluation", kAsk, kBulkJson, 202, {"wait", "priority", "timeout"}, SubmitEvaluation},
      {kPost, "/api/v1/repos/{repo}/verifications", "createVerification", kRead, kJson, 202, {"wait", "priority", "timeout"}, SubmitVerification},
      {kPost, "/api/v1/repos/{repo}/exports", "createExport", kRead, kJson, 202, {"wait", "priority", "timeout"}, SubmitExport},
      {kGet, "/api/v1/repos/{repo}/statistics", "listStatistics", kRead, kNone, 200, {}, ListStatistics},
      {kPost, "/api/v1/repos/{repo}/statistics", "createStatistics", kMerge, kBulkJson, 202, {"wait", "priority", "timeout"}, SubmitStatistics},

      {kPost, "/api/v1/fsck", "createFsck", kAdmin, kJson, 202, {"wait", "priority", "timeout"}, SubmitFsck},
      {kGet, "/api/v1/operations", "listOperations", kRead, kNone, 200, {"limit", "after"}, ListOperations},
      {kGet, "/api/v1/operations/{id}", "readOperation", kRead, kNone, 200, {"wait"}, ReadOperation},
      {kDelete, "/api/v1/operations/{id}", "cancelOperation", kMerge, kNone, 202, {}, CancelOperation},
      {kGet, "/api/v1/operations/{id}/events", "streamOperation", kRead, kNone, 200, {}, StreamOperation},
      {kGet, "/api/v1/audit", "readAudit", kAdmin, kNone, 200, {"limit", "after", "order"}, ReadAudit},
      {kPost, "/v1/completions", "createCompletion", kAsk, kJson, 200, {}, CreateCompletion},
      {kGet, "/v1/models", "listModels", kAsk, kNone, 200, {}, ListModels},
      {kPost, "/api/v1/diagnoses", "createDiagnosis", kAdmin, kJson, 200, {}, CreateDiagnosis},
      {kGet, "/api/v1/workers", "listWorkers", kRead, kNone, 200, {}, ListWorkers},
  };
  return kRoutes;
}

const std::vector<Route>& AnswerRoutes() {
  static const std::vector<Route> kAnswerRoutes = [] {
    const std::vector<Handler> answer = {ReadLiveness, ReadReadiness, ReadOpenApi, Ask, CreateCompletion, ListModels};
    std::vector<Route> routes = Routes();
    std::erase_if(routes, [&](const Route& route) { return std::ranges::find(answer, route.handler) == answer.end(); });
    return routes;
  }();
  return kAnswerRoutes;
}

}  // namespace emend::api::rest
