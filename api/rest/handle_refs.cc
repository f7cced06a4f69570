#include "api/rest/handlers.h"
#include "api/rest/render.h"
#include "api/rest/strict_json.h"

namespace emend::api::rest {
namespace {

using storage::history::Ref;
using storage::history::RefKind;

const char* KindName(RefKind kind) { return kind == RefKind::kBranch ? "branch" : "tag"; }

Response RefResponse(int status, const Ref& ref) {
  Response response = JsonResponse(status, RenderRef(ref));
  response.headers.emplace_back("ETag", "\"" + ref.commit.Hex() + "\"");
  return response;
}

// What the caller believes the ref to be: zero for "it is not there" (If-None-Match: *), else the
// commit of If-Match.
Result<CommitId> ExpectedHead(const Request& request) {
  const std::string match = request.Header("if-match");
  const std::string none_match = request.Header("if-none-match");
  if (match.empty() && none_match.empty()) {
    return Status(StatusCode::kFailedPrecondition, "precondition_required",
                  "moving a ref: neither If-Match (with the ETag that was read) nor If-None-Match: "
                  "* (to create) was sent, one of them is required");
  }
  if (match.empty() && none_match == "*") return CommitId();
  const bool quoted = match.size() == 66 && match.front() == '"' && match.back() == '"';
  const auto id =
      CommitId::FromHex(quoted ? std::string_view(match).substr(1, 64) : std::string_view());
  if (!none_match.empty() || !id.ok()) {
    return Status(StatusCode::kInvalidArgument, "malformed_request",
                  "moving a ref: found If-Match " + match + " and If-None-Match " + none_match +
                      ", expected either If-Match with one quoted commit id or If-None-Match: *");
  }
  return *id;
}

Awaitable<Result<Response>> ReadRef(HandlerContext* context, Request request, RefKind kind) {
  EMEND_CO_ASSIGN_OR_RETURN(const std::vector<Ref> refs,
                            co_await context->service->ListRefs(request.repo()));
  const std::string& name = request.place.at("name");
  for (const Ref& ref : refs) {
    if (ref.kind == kind && ref.name == name) co_return RefResponse(200, ref);
  }
  co_return NotFound("reading the " + std::string(KindName(kind)) + " \"" + name + "\" of " +
                     request.place.at("repo") + ": there is none");
}

Result<coordinator::server::RefMove> ReadMove(const Request& request, RefKind kind) {
  EMEND_ASSIGN_OR_RETURN(const CommitId expected, ExpectedHead(request));
  EMEND_ASSIGN_OR_RETURN(const auto body, ParseJsonObject(request.body));
  for (const auto& [name, value] : body.items()) {
    if (name != "revision" && name != "reason")
      return InvalidArgument("at /" + name +
                             ": this field is unknown here; known are revision, reason");
    if (!value.is_string())
      return InvalidArgument("at /" + name + ": found a value of type " + value.type_name() +
                             ", expected a text");
  }
  const std::string revision = body.value("revision", "");
  if (revision.empty()) return InvalidArgument("at /revision: this field is missing");
  return coordinator::server::RefMove{
      .repo = request.repo(),
      .kind = kind,
      .name = request.place.at("name"),
      .expected = expected,
      .revision = revision,
      .reason = body.value("reason", "reset: moving to " + revision)};
}

Awaitable<Result<Response>> PutRef(HandlerContext* context, Request request, RefKind kind) {
  EMEND_CO_ASSIGN_OR_RETURN(const auto move, ReadMove(request, kind));
  EMEND_CO_ASSIGN_OR_RETURN(const Ref ref,
                            co_await context->service->MoveRef(request.caller, move));
  co_return RefResponse(200, ref);
}

Awaitable<Result<Response>> DeleteRef(HandlerContext* context, Request request, RefKind kind) {
  EMEND_CO_ASSIGN_OR_RETURN(const CommitId expected, ExpectedHead(request));
  if (expected.IsZero())
    co_return InvalidArgument(
        "deleting a ref: found If-None-Match: *, expected If-Match with the ref's commit");
  coordinator::server::RefMove move{.repo = request.repo(),
                                    .kind = kind,
                                    .name = request.place.at("name"),
                                    .expected = expected,
                                    .revision = "",
                                    .reason = "delete"};
  EMEND_CO_RETURN_IF_ERROR(
      (co_await context->service->MoveRef(request.caller, std::move(move))).status());
  co_return Response{.status = 204, .content_type = "", .body = "", .headers = {}, .stream = {}};
}

}  // namespace

Awaitable<Result<Response>> ListRefs(HandlerContext* context, Request request) {
  EMEND_CO_ASSIGN_OR_RETURN(const std::vector<Ref> refs,
                            co_await context->service->ListRefs(request.repo()));
  Json items = Json::array();
  for (const Ref& ref : refs) items.push_back(RenderRef(ref));
  co_return JsonResponse(200, {{"items", std::move(items)}, {"next", nullptr}});
}

Awaitable<Result<Response>> ReadReflog(HandlerContext* context, Request request) {
  EMEND_CO_ASSIGN_OR_RETURN(const std::uint64_t limit,
                            NumberParameter(request, "limit", 100, 1000));
  EMEND_CO_ASSIGN_OR_RETURN(
      const auto entries,
      co_await context->service->Reflog(request.repo(), request.place.at("name"), limit));
  Json items = Json::array();
  for (const auto& entry : entries) items.push_back(RenderReflogEntry(entry));
  co_return JsonResponse(200, {{"items", std::move(items)}, {"next", nullptr}});
}

Awaitable<Result<Response>> ReadBranch(HandlerContext* context, Request request) {
  return ReadRef(context, std::move(request), RefKind::kBranch);
}
Awaitable<Result<Response>> PutBranch(HandlerContext* context, Request request) {
  return PutRef(context, std::move(request), RefKind::kBranch);
}
Awaitable<Result<Response>> DeleteBranch(HandlerContext* context, Request request) {
  return DeleteRef(context, std::move(request), RefKind::kBranch);
}
Awaitable<Result<Response>> ReadTag(HandlerContext* context, Request request) {
  return ReadRef(context, std::move(request), RefKind::kTag);
}
Awaitable<Result<Response>> PutTag(HandlerContext* context, Request request) {
  return PutRef(context, std::move(request), RefKind::kTag);
}
Awaitable<Result<Response>> DeleteTag(HandlerContext* context, Request request) {
  return DeleteRef(context, std::move(request), RefKind::kTag);
}

}  // namespace emend::api::rest
