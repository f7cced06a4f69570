#include <algorithm>

#include "api/rest/fields.h"
#include "api/rest/on_store.h"
#include "api/rest/page.h"
#include "api/rest/strict_json.h"
#include "coordinator/store/refs.h"

namespace emend::api::rest {
namespace {

using coordinator::store::RefMove;
using storage::history::Ref;
using storage::history::RefKind;

constexpr Parameter kName{"name", In::kPath, kRefName, "May hold \"/\"."};
constexpr Parameter kIfMatch{
    "If-Match", In::kHeader,
    Text{66, "^\"[0-9a-f]{64}\"$", "the ETag that was read: one quoted commit id"},
    "The ETag that was read"};
constexpr Parameter kAfterEntry{
    "after", In::kQuery, WholeNumber{1, std::int64_t{1} << 53, std::nullopt}, kNextDescription};
constexpr std::string_view kAny[] = {"*"};
constexpr Parameter kIfNoneMatch{"If-None-Match", In::kHeader, Choice{kAny, ""}, "\"*\": create"};

template <typename Id>
Json IdOrNull(const Id& id) {
  return id.IsZero() ? Json() : Json(id.Hex());
}

const char* KindName(RefKind kind) { return kind == RefKind::kBranch ? "branch" : "tag"; }

Json RenderRef(const Ref& ref) {
  return {{"kind", KindName(ref.kind)}, {"name", ref.name}, {"commit", ref.commit.Hex()}};
}

Json RenderReflogEntry(const storage::history::ReflogEntry& entry) {
  return {{"index", entry.index},
          {"from", IdOrNull(entry.from)},
          {"to", IdOrNull(entry.to)},
          {"principal", entry.principal},
          {"time", RenderTime(entry.time_ms)},
          {"reason", entry.reason}};
}

Response RefResponse(int status, const Ref& ref) {
  Response response = JsonResponse(status, RenderRef(ref));
  response.headers.emplace_back("ETag", "\"" + ref.commit.Hex() + "\"");
  return response;
}

// What the caller believes the ref to be: zero for "it is not there" (If-None-Match: *), else the
// commit of If-Match.
Result<CommitId> ExpectedHead(const Request& request) {
  const std::string match = request.Text("If-Match");
  const std::string none_match = request.Text("If-None-Match");
  if (match.empty() && none_match.empty()) {
    return Status(StatusCode::kFailedPrecondition, "precondition_required",
                  "moving a ref: neither If-Match (with the ETag that was read) nor If-None-Match: "
                  "* (to create) was sent, one of them is required");
  }
  if (match.empty()) return CommitId();
  if (none_match.empty()) return CommitId::FromHex(std::string_view(match).substr(1, 64));
  return Status(StatusCode::kInvalidArgument, "malformed_request",
                "moving a ref: found both If-Match and If-None-Match, expected one of them");
}

Awaitable<Result<Response>> ReadRef(HandlerContext* context, Request request, RefKind kind) {
  EMEND_CO_ASSIGN_OR_RETURN(const Ref ref,
                            co_await InRepo(context, request.repo(), [&](const Repository& repo) {
                              return repo.ReadRef(kind, request.Text("name"));
                            }));
  co_return RefResponse(200, ref);
}

Result<RefMove> ReadMove(const Request& request, RefKind kind) {
  EMEND_ASSIGN_OR_RETURN(const CommitId expected, ExpectedHead(request));
  EMEND_ASSIGN_OR_RETURN(const auto body, ParseJsonObject(request.body));
  Fields fields(body);
  const std::string revision = fields.Required("revision");
  const std::string reason = fields.Text("reason", ("reset: moving to " + revision).c_str());
  fields.RefuseUnknown();
  EMEND_RETURN_IF_ERROR(fields.status());
  return RefMove{.repo = request.repo(),
                 .kind = kind,
                 .name = request.Text("name"),
                 .expected = expected,
                 .revision = revision,
                 .reason = reason};
}

Awaitable<Result<Ref>> Move(HandlerContext* context, coordinator::answers::Caller caller,
                            RefMove move) {
  co_return co_await OnStore(context, [&](Journal& journal) {
    return coordinator::store::MoveRef(journal, caller, move);
  });
}

Awaitable<Result<Response>> PutRef(HandlerContext* context, Request request, RefKind kind) {
  EMEND_CO_ASSIGN_OR_RETURN(RefMove move, ReadMove(request, kind));
  EMEND_CO_ASSIGN_OR_RETURN(const Ref ref, co_await Move(context, request.caller, std::move(move)));
  co_return RefResponse(200, ref);
}

Awaitable<Result<Response>> DeleteRef(HandlerContext* context, Request request, RefKind kind) {
  EMEND_CO_ASSIGN_OR_RETURN(const CommitId expected, ExpectedHead(request));
  RefMove move{.repo = request.repo(),
               .kind = kind,
               .name = request.Text("name"),
               .expected = expected,
               .revision = "",
               .reason = "delete"};
  EMEND_CO_RETURN_IF_ERROR((co_await Move(context, request.caller, std::move(move))).status());
  co_return Response{.status = 204, .content_type = "", .body = "", .headers = {}, .stream = {}};
}

Awaitable<Result<Response>> ListRefs(HandlerContext* context, Request request) {
  EMEND_CO_ASSIGN_OR_RETURN(std::vector<Ref> refs,
                            co_await InRepo(context, request.repo(), [](const Repository& repo) {
                              return repo.ListRefs();
                            }));
  const auto key = [](const Ref& ref) { return KindName(ref.kind) + ("/" + ref.name); };
  co_return PageResponse(PageAfter(request, std::move(refs), key), RenderRef);
}

// The cursor is the index of the last entry that was given: entries only come on top.
Awaitable<Result<Response>> ReadReflog(HandlerContext* context, Request request) {
  const auto limit = static_cast<std::size_t>(request.Whole("limit"));
  std::optional<std::uint64_t> before;
  if (request.Has("after")) before = static_cast<std::uint64_t>(request.Whole("after"));
  EMEND_CO_ASSIGN_OR_RETURN(auto entries,
                            co_await InRepo(context, request.repo(), [&](const Repository& repo) {
                              return repo.Reflog(request.Text("name"), limit + 1, before);
                            }));
  const auto key = [](const auto& entry) { return std::to_string(entry.index); };
  co_return PageResponse(CutPage(std::move(entries), limit, key), RenderReflogEntry);
}

// What the routes of branches and those of tags do not share.
struct Named {
  std::string_view pattern;
  std::string_view read_id, read;  // operation id and summary
  std::string_view put_id, put;
  std::string_view delete_id, erase;
};
constexpr Named kBranches = {"/api/v1/repos/{repo}/branches/{name...}",
                             "readBranch",
                             "One branch; its commit is the ETag",
                             "putBranch",
                             "Create or move a branch",
                             "deleteBranch",
                             "Delete a branch"};
constexpr Named kTags = {"/api/v1/repos/{repo}/tags/{name...}",
                         "readTag",
                         "One tag; its commit is the ETag",
                         "putTag",
                         "Create or move a tag",
                         "deleteTag",
                         "Delete a tag"};

using RefHandler = Awaitable<Result<Response>> (*)(HandlerContext*, Request, RefKind);
template <RefHandler handler, RefKind kind>
Awaitable<Result<Response>> OfKind(HandlerContext* context, Request request) {
  return handler(context, std::move(request), kind);
}

template <RefKind kind>
std::vector<Route> RoutesOf(const Named& named) {
  return {{.method = Method::kGet,
           .pattern = named.pattern,
           .operation_id = named.read_id,
           .summary = named.read,
           .scope = Scope::kRead,
           .parameters = {kRepo, kName},
           .answer = {200, "Ref", Streams::kNever, "ETag"},
           .failures = {404},
           .handler = OfKind<ReadRef, kind>},
          {.method = Method::kPut,
           .pattern = named.pattern,
           .operation_id = named.put_id,
           .summary = named.put,
           .scope = Scope::kMerge,
           .parameters = {kRepo, kName, kIfMatch, kIfNoneMatch},
           .body = JsonBody("RefRequest"),
           .answer = {200, "Ref", Streams::kNever, "ETag"},
           .failures = {404, 409, 412, 428},
           .handler = OfKind<PutRef, kind>},
          {.method = Method::kDelete,
           .pattern = named.pattern,
           .operation_id = named.delete_id,
           .summary = named.erase,
           .scope = Scope::kMerge,
           .parameters = {kRepo, kName, kIfMatch},
           .answer = {204, ""},
           .failures = {404, 409, 412, 428},
           .handler = OfKind<DeleteRef, kind>}};
}

}  // namespace

std::vector<Route> RefRoutes() {
  std::vector<Route> routes = {{.method = Method::kGet,
                                .pattern = "/api/v1/repos/{repo}/refs",
                                .operation_id = "listRefs",
                                .summary = "Branches and tags",
                                .scope = Scope::kRead,
                                .parameters = {kRepo, kLimit, kAfterKey},
                                .answer = {200, "RefPage"},
                                .failures = {404},
                                .handler = ListRefs},
                               {.method = Method::kGet,
                                .pattern = "/api/v1/repos/{repo}/branches/{name...}/reflog",
                                .operation_id = "readReflog",
                                .summary = "Where a branch has pointed, newest first",
                                .scope = Scope::kRead,
                                .parameters = {kRepo, kName, kLimit, kAfterEntry},
                                .answer = {200, "ReflogPage"},
                                .failures = {404},
                                .handler = ReadReflog}};
  std::ranges::move(RoutesOf<RefKind::kBranch>(kBranches), std::back_inserter(routes));
  std::ranges::move(RoutesOf<RefKind::kTag>(kTags), std::back_inserter(routes));
  return routes;
}

}  // namespace emend::api::rest
