// What a revision holds: the facts of its active edits.
#include "api/rest/on_store.h"
#include "api/rest/page.h"

namespace emend::api::rest {
namespace {

constexpr Parameter kSubject{"subject", In::kQuery,
                             Text{1024, R"(^[^\x00-\x1f\x7f]+$)", "a subject"},
                             "Of facts about it alone"};
constexpr Parameter kAfterEdit{"after", In::kQuery,
                               Text{64, "^[0-9a-f]{64}$", "the \"next\" of an earlier page"},
                               kNextDescription};

// The facts of one edit that are wanted.
Result<Json> RenderHeld(const Repository& repo, const EditId& id, const std::string& subject) {
  EMEND_ASSIGN_OR_RETURN(const storage::objects::Edit edit, repo.objects().ReadEdit(id));
  Json facts = Json::array();
  for (const auto& fact : edit.facts) {
    if (subject.empty() || fact.subject == subject) facts.push_back(RenderFact(fact));
  }
  return Json{{"edit", id.Hex()}, {"method", edit.method}, {"facts", std::move(facts)}};
}

// By the ids of their edits, so that a page goes on where the one before ended. Reads the edits of
// the page; of one subject, as many as it takes to find them.
Result<Response> FactsPage(const Repository& repo, const Request& request) {
  const std::string revision = request.Text("revision");
  EMEND_ASSIGN_OR_RETURN(
      const CommitId commit,
      repo.Resolve(revision.empty() ? storage::history::kDefaultBranch : revision));
  EMEND_ASSIGN_OR_RETURN(const auto head, repo.ReadCommit(commit));
  EMEND_ASSIGN_OR_RETURN(const std::vector<EditId> ids, repo.Edits(head.state));
  const auto limit = static_cast<std::size_t>(request.Whole("limit"));
  auto next = ids.begin();
  if (request.Has("after")) {
    EMEND_ASSIGN_OR_RETURN(const EditId after, EditId::FromHex(request.Text("after")));
    next = std::ranges::upper_bound(ids, after);
  }
  Json items = Json::array();
  std::optional<EditId> last;
  for (; next != ids.end(); ++next) {
    EMEND_ASSIGN_OR_RETURN(Json held, RenderHeld(repo, *next, request.Text("subject")));
    if (held["facts"].empty()) continue;
    if (items.size() == limit) return PageResponse(std::move(items), last->Hex());
    items.push_back(std::move(held));
    last = *next;
  }
  return PageResponse(std::move(items), Json());
}

Awaitable<Result<Response>> ListFacts(HandlerContext* context, Request request) {
  co_return co_await InRepo(context, request.repo(),
                            [&](const Repository& repo) { return FactsPage(repo, request); });
}

}  // namespace

std::vector<Route> FactRoutes() {
  return {{.method = Method::kGet,
           .pattern = "/api/v1/repos/{repo}/facts",
           .operation_id = "listFacts",
           .summary = "The facts that a revision holds, by edit",
           .scope = Scope::kRead,
           .parameters = {kRepo, kRevision, kSubject, kLimit, kAfterEdit},
           .answer = {200, "HeldFactPage"},
           .failures = {404},
           .handler = ListFacts}};
}

}  // namespace emend::api::rest
