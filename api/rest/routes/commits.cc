#include "api/rest/on_store.h"
#include "api/rest/operation.h"

namespace emend::api::rest {
namespace {

using storage::history::NumberedCommit;

constexpr Parameter kRevisionPath{"revision", In::kPath, kRevisionText};
constexpr Parameter kAfterCommit{
    "after", In::kQuery,
    Text{71, R"(^[0-9a-f]{64}\.[0-9]{1,6}$)", "the \"next\" of an earlier page"}, kNextDescription};

Result<Json> RenderEdits(const Repository& repo, const std::vector<EditId>& ids) {
  Json list = Json::array();
  for (const EditId& id : ids) {
    EMEND_ASSIGN_OR_RETURN(const storage::objects::Edit edit, repo.objects().ReadEdit(id));
    Json facts = Json::array();
    for (const auto& fact : edit.facts) facts.push_back(RenderFact(fact));
    list.push_back({{"edit", id.Hex()},
                    {"method", edit.method},
                    {"solved_on", edit.solved_on.Hex()},
                    {"facts", std::move(facts)}});
  }
  return list;
}

Result<Json> RenderDetail(const Repository& repo, const NumberedCommit& shown) {
  const storage::objects::Commit& commit = shown.commit;
  Json json = RenderCommit(shown);
  json["settings"] = commit.settings.empty()
                         ? Json()
                         : Json::parse(commit.settings, nullptr, /*allow_exceptions=*/false);
  json["seed"] = std::to_string(commit.seed);  // 64 bits: more than a JSON number keeps
  json["statistics"] = commit.statistics.empty() ? Json() : Json(commit.statistics);
  json["evidence"] = commit.evidence.empty()
                         ? Json()
                         : Json::parse(commit.evidence, nullptr, /*allow_exceptions=*/false);
  EMEND_ASSIGN_OR_RETURN(json["added"], RenderEdits(repo, commit.added));
  EMEND_ASSIGN_OR_RETURN(json["removed"], RenderEdits(repo, commit.removed));
  return json;
}

// A log's cursor is "<head>.<how many were given>": commits never change, so the same cursor always
// goes on at the same place.
struct Cursor {
  std::string head;
  std::uint64_t given = 0;
};

Cursor ParseCursor(const std::string& text) {
  const std::size_t dot = text.find('.');
  const std::optional<std::int64_t> given = ParseWhole(text.substr(dot + 1));
  return {.head = text.substr(0, dot), .given = static_cast<std::uint64_t>(given.value_or(0))};
}

// Where the log begins: at the cursor, else at the revision's head.
Result<Cursor> LogStart(const Repository& repo, const Request& request) {
  if (request.Has("after")) return ParseCursor(request.Text("after"));
  const std::string revision = request.Text("revision");
  EMEND_ASSIGN_OR_RETURN(
      const CommitId head,
      repo.Resolve(revision.empty() ? storage::history::kDefaultBranch : revision));
  return Cursor{.head = head.Hex(), .given = 0};
}

Result<Response> LogPage(const Repository& repo, const Request& request) {
  const auto limit = static_cast<std::uint64_t>(request.Whole("limit"));
  EMEND_ASSIGN_OR_RETURN(const Cursor start, LogStart(repo, request));
  EMEND_ASSIGN_OR_RETURN(const CommitId head, repo.Resolve(start.head));
  EMEND_ASSIGN_OR_RETURN(const auto commits, repo.Log(head, start.given + limit + 1));
  Json items = Json::array();
  const std::size_t end = start.given + limit;
  for (std::size_t i = start.given; i < commits.size() && i < end; ++i)
    items.push_back(RenderCommit(commits[i]));
  const Json next = commits.size() > end ? Json(start.head + "." + std::to_string(end)) : Json();
  return PageResponse(std::move(items), next);
}

Awaitable<Result<Response>> ListCommits(HandlerContext* context, Request request) {
  co_return co_await InRepo(context, request.repo(),
                            [&](const Repository& repo) { return LogPage(repo, request); });
}

Awaitable<Result<Response>> ShowCommit(HandlerContext* context, Request request) {
  co_return co_await InRepo(
      context, request.repo(), [&](const Repository& repo) -> Result<Response> {
        NumberedCommit shown;
        EMEND_ASSIGN_OR_RETURN(shown.id, repo.Resolve(request.Text("revision")));
        EMEND_ASSIGN_OR_RETURN(shown.commit, repo.ReadCommit(shown.id));
        EMEND_ASSIGN_OR_RETURN(const Json detail, RenderDetail(repo, shown));
        Response response = JsonResponse(200, detail);
        response.headers.emplace_back("ETag", "\"" + shown.id.Hex() + "\"");
        return response;
      });
}

}  // namespace

std::vector<Route> CommitRoutes() {
  return {{.method = Method::kGet,
           .pattern = "/api/v1/repos/{repo}/commits",
           .operation_id = "listCommits",
           .summary = "Commits of a revision, newest first",
           .scope = Scope::kRead,
           .parameters = {kRepo, kRevision, kLimit, kAfterCommit},
           .answer = {200, "CommitPage"},
           .failures = {404},
           .handler = ListCommits},
          SubmissionRoute({.pattern = "/api/v1/repos/{repo}/commits",
                           .operation_id = "createCommit",
                           .summary = "Edit facts into a branch; result Committed",
                           .scope = Scope::kMerge,
                           .body = BulkBody("CommitRequest"),
                           .kind = "commit"}),
          {.method = Method::kGet,
           .pattern = "/api/v1/repos/{repo}/commits/{revision...}",
           .operation_id = "showCommit",
           .summary = "One commit with its edits",
           .scope = Scope::kRead,
           .parameters = {kRepo, kRevisionPath},
           .answer = {200, "CommitDetail", Streams::kNever, "ETag"},
           .failures = {404},
           .handler = ShowCommit}};
}

}  // namespace emend::api::rest
