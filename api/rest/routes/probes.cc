// Probe suites: what a repo's model must go on saying.
#include "coordinator/review/probes.h"
#include "api/rest/on_store.h"
#include "api/rest/operation.h"
#include "api/rest/page.h"

namespace emend::api::rest {
namespace {

using coordinator::review::ProbeSuite;
using coordinator::review::ProbeSuiteHead;

constexpr Parameter kSuite{"name", In::kPath,
                           Text{64, "^[a-z0-9][a-z0-9._-]{0,63}$",
                                "1 to 64 of a-z 0-9 . _ -, of which the first is a letter or "
                                "digit"},
                           "Of the suite"};

Json RenderHead(const ProbeSuiteHead& head) {
  return {{"name", head.name},
          {"n", head.count},
          {"digest", head.digest.Hex()},
          {"principal", head.principal},
          {"created", RenderTime(head.created_ms)}};
}

Awaitable<Result<Response>> ListSuites(HandlerContext* context, Request request) {
  EMEND_CO_ASSIGN_OR_RETURN(std::vector<ProbeSuiteHead> heads,
                            co_await InRepo(context, request.repo(), [](const Repository& repo) {
                              return coordinator::review::ListSuites(repo);
                            }));
  co_return PageResponse(PageAfter(request, std::move(heads), &ProbeSuiteHead::name), RenderHead);
}

Awaitable<Result<Response>> ReadSuite(HandlerContext* context, Request request) {
  EMEND_CO_ASSIGN_OR_RETURN(const ProbeSuite suite,
                            co_await InRepo(context, request.repo(), [&](const Repository& repo) {
                              return coordinator::review::ReadSuite(repo, request.Text("name"));
                            }));
  Json facts = Json::array();
  for (const auto& fact : suite.facts) facts.push_back(RenderFact(fact));
  co_return JsonResponse(200, {{"name", suite.name},
                               {"principal", suite.principal},
                               {"created", RenderTime(suite.created_ms)},
                               {"facts", std::move(facts)}});
}

Awaitable<Result<Response>> DeleteSuite(HandlerContext* context, Request request) {
  EMEND_CO_RETURN_IF_ERROR(co_await OnStore(context, [&](Journal& journal) {
    return coordinator::review::RemoveSuite(journal, request.caller, request.repo(),
                                            request.Text("name"));
  }));
  co_return Response{.status = 204, .content_type = "", .body = "", .headers = {}, .stream = {}};
}

}  // namespace

std::vector<Route> ProbeRoutes() {
  constexpr std::string_view kOne = "/api/v1/repos/{repo}/probes/{name}";
  return {{.method = Method::kGet,
           .pattern = "/api/v1/repos/{repo}/probes",
           .operation_id = "listProbes",
           .summary = "Probe suites: facts that the model must go on saying",
           .scope = Scope::kRead,
           .parameters = {kRepo, kLimit, kAfterKey},
           .answer = {200, "ProbeSuitePage"},
           .failures = {404},
           .handler = ListSuites},
          SubmissionRoute({.pattern = "/api/v1/repos/{repo}/probes",
                           .operation_id = "putProbes",
                           .summary = "Put a probe suite, in place of the one of its name; result "
                                      "ProbesPut",
                           .scope = Scope::kAdmin,
                           .body = BulkBody("ProbesRequest"),
                           .kind = "probes"}),
          {.method = Method::kGet,
           .pattern = kOne,
           .operation_id = "readProbes",
           .summary = "One probe suite with its facts",
           .scope = Scope::kRead,
           .parameters = {kRepo, kSuite},
           .answer = {200, "ProbeSuite"},
           .failures = {404},
           .handler = ReadSuite},
          {.method = Method::kDelete,
           .pattern = kOne,
           .operation_id = "deleteProbes",
           .summary = "Take a probe suite away",
           .scope = Scope::kAdmin,
           .parameters = {kRepo, kSuite},
           .answer = {204, ""},
           .failures = {404},
           .handler = DeleteSuite}};
}

}  // namespace emend::api::rest
