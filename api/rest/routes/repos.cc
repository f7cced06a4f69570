#include "api/rest/on_store.h"
#include "api/rest/operation.h"
#include "api/rest/page.h"
#include "api/rest/strict_json.h"
#include "coordinator/store/preset.h"

namespace emend::api::rest {
namespace {

using coordinator::server::Submission;

// A repo without a branch "main" has no head.
Result<Json> RenderRepo(const Repository& repo) {
  const Result<CommitId> head = repo.Resolve(storage::history::kDefaultBranch);
  EMEND_ASSIGN_OR_RETURN(const auto preset, coordinator::store::FindPreset(repo));
  return Json{{"repo", repo.record().name.value()},
              {"base", repo.record().base.Hex()},
              {"head", head.ok() ? Json(head->Hex()) : Json()},
              {"created", RenderTime(repo.record().created_ms)},
              {"preset", preset ? RenderSettings(preset->settings) : Json()}};
}

Awaitable<Result<Response>> ListRepos(HandlerContext* context, Request request) {
  co_return co_await OnStore(context, [&](Journal& journal) -> Result<Response> {
    EMEND_ASSIGN_OR_RETURN(auto records, Repository::List(journal.store()));
    const auto key = [](const auto& record) { return record.name.value(); };
    const auto page = PageAfter(request, std::move(records), key);
    Json items = Json::array();
    for (const auto& record : page.items) {
      EMEND_ASSIGN_OR_RETURN(const Repository repo, Repository::Open(journal.store(), record.name));
      EMEND_ASSIGN_OR_RETURN(items.emplace_back(), RenderRepo(repo));
    }
    return PageResponse(std::move(items), page.next);
  });
}

Awaitable<Result<Response>> ReadRepo(HandlerContext* context, Request request) {
  co_return co_await InRepo(context, request.repo(),
                            [](const Repository& repo) -> Result<Response> {
                              EMEND_ASSIGN_OR_RETURN(const Json rendered, RenderRepo(repo));
                              return JsonResponse(200, rendered);
                            });
}

// The repo is in the body: it is not there yet.
Awaitable<Result<Response>> ImportRepo(HandlerContext* context, Request request) {
  EMEND_CO_ASSIGN_OR_RETURN(auto body, ParseJsonObject(request.body));
  const auto name = body.find("name");
  if (name == body.end()) co_return InvalidArgument("at /name: this field is missing");
  if (!name->is_string())
    co_return InvalidArgument("at /name: found a value of type " + std::string(name->type_name()) +
                              ", expected a text");
  RepoName repo(name->get<std::string>());
  EMEND_CO_RETURN_IF_ERROR(storage::history::CheckRepoName(repo.value()));
  body.erase(name);
  Submission submission{.kind = std::string(request.route->kind),
                        .repo = std::move(repo),
                        .body = body.dump(),
                        .idempotency_key = "",
                        .fingerprint = {}};
  co_return co_await Submit(context, std::move(request), std::move(submission));
}

}  // namespace

std::vector<Route> RepoRoutes() {
  return {{.method = Method::kGet,
           .pattern = "/api/v1/repos",
           .operation_id = "listRepos",
           .summary = "All repos",
           .scope = Scope::kRead,
           .parameters = {kLimit, kAfterKey},
           .answer = {200, "RepoPage"},
           .handler = ListRepos},
          SubmissionRoute({.pattern = "/api/v1/repos",
                           .operation_id = "importRepo",
                           .summary = "Import a model as a new repo; result Imported",
                           .scope = Scope::kAdmin,
                           .body = JsonBody("ImportRequest"),
                           .kind = "import",
                           .handler = ImportRepo}),
          {.method = Method::kGet,
           .pattern = "/api/v1/repos/{repo}",
           .operation_id = "readRepo",
           .summary = "One repo",
           .scope = Scope::kRead,
           .parameters = {kRepo},
           .answer = {200, "Repo"},
           .failures = {404},
           .handler = ReadRepo}};
}

}  // namespace emend::api::rest
