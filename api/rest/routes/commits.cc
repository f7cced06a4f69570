#include "api/rest/operation.h"

namespace emend::api::rest {
namespace {

constexpr Parameter kRevision{"revision", In::kQuery, kRevisionText, "main if absent"};
constexpr Parameter kRevisionPath{"revision", In::kPath, kRevisionText};
constexpr Parameter kAfterCommit{
    "after", In::kQuery,
    Text{71, R"(^[0-9a-f]{64}\.[0-9]{1,6}$)", "the \"next\" of an earlier page"}, kNextDescription};

Json RenderEdit(const coordinator::server::ShownEdit& shown) {
  Json facts = Json::array();
  for (const auto& fact : shown.edit.facts) facts.push_back(RenderFact(fact));
  return {{"edit", shown.id.Hex()},
          {"method", shown.edit.method},
          {"solved_on", shown.edit.solved_on.Hex()},
          {"facts", std::move(facts)}};
}

Json RenderEdits(const std::vector<coordinator::server::ShownEdit>& edits) {
  Json list = Json::array();
  for (const auto& edit : edits) list.push_back(RenderEdit(edit));
  return list;
}

Json RenderShownCommit(const coordinator::server::ShownCommit& shown) {
  const storage::objects::Commit& commit = shown.commit.commit;
  Json json = RenderCommit(shown.commit);
  json["settings"] = commit.settings.empty()
                         ? Json()
                         : Json::parse(commit.settings, nullptr, /*allow_exceptions=*/false);
  json["seed"] = std::to_string(commit.seed);  // 64 bits: more than a JSON number keeps
  json["statistics"] = commit.statistics.empty() ? Json() : Json(commit.statistics);
  json["evidence"] = commit.evidence.empty()
                         ? Json()
                         : Json::parse(commit.evidence, nullptr, /*allow_exceptions=*/false);
  json["added"] = RenderEdits(shown.added);
  json["removed"] = RenderEdits(shown.removed);
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
Awaitable<Result<Cursor>> LogStart(HandlerContext* context, const Request* request) {
  if (request->Has("after")) co_return ParseCursor(request->Text("after"));
  // Named before the co_await: g++ 12 destroys the temporary of a conditional inside one twice.
  std::string revision = request->Text("revision");
  if (revision.empty()) revision = "main";
  EMEND_CO_ASSIGN_OR_RETURN(const CommitId head,
                            co_await context->service->Resolve(request->repo(), revision));
  co_return Cursor{.head = head.Hex(), .given = 0};
}

Awaitable<Result<Response>> ListCommits(HandlerContext* context, Request request) {
  const auto limit = static_cast<std::uint64_t>(request.Whole("limit"));
  EMEND_CO_ASSIGN_OR_RETURN(const Cursor start, co_await LogStart(context, &request));
  EMEND_CO_ASSIGN_OR_RETURN(
      const auto commits,
      co_await context->service->Log(request.repo(), start.head, start.given + limit + 1));
  Json items = Json::array();
  const std::size_t end = start.given + limit;
  for (std::size_t i = start.given; i < commits.size() && i < end; ++i)
    items.push_back(RenderCommit(commits[i]));
  const Json next = commits.size() > end ? Json(start.head + "." + std::to_string(end)) : Json();
  co_return PageResponse(std::move(items), next);
}

Awaitable<Result<Response>> ShowCommit(HandlerContext* context, Request request) {
  EMEND_CO_ASSIGN_OR_RETURN(
      const auto shown, co_await context->service->Show(request.repo(), request.Text("revision")));
  Response response = JsonResponse(200, RenderShownCommit(shown));
  response.headers.emplace_back("ETag", "\"" + shown.commit.id.Hex() + "\"");
  co_return response;
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
