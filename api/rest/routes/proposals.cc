// Proposals: opened, read, reviewed, checked, merged and closed.
#include "coordinator/review/proposals.h"
#include "api/rest/fields.h"
#include "api/rest/on_store.h"
#include "api/rest/operation.h"
#include "api/rest/page.h"
#include "api/rest/strict_json.h"
#include "coordinator/review/standing.h"
#include "storage/base/utf8.h"

namespace emend::api::rest {
namespace {

using namespace coordinator::review;
using storage::objects::Fact;

constexpr Parameter kNumber{"number", In::kPath, WholeNumber{1, std::int64_t{1} << 53},
                            "Of the proposal"};
constexpr std::string_view kStates[] = {"open", "all"};
constexpr Parameter kState{"state", In::kQuery, Choice{kStates, "open"},
                           "Those that are over, too"};
constexpr Parameter kAfterProposal{"after", In::kQuery, WholeNumber{1, std::int64_t{1} << 53},
                                   kNextDescription};

Json RenderProposal(const Proposal& proposal) {
  const bool is_over = proposal.state != ProposalState::kOpen;
  return {{"number", proposal.number},
          {"title", proposal.title},
          {"text", proposal.text},
          {"source", proposal.source},
          {"target", proposal.target},
          {"author", proposal.author.name},
          {"created", RenderTime(proposal.created_ms)},
          {"state", ProposalStateName(proposal.state)},
          {"ended_by", is_over ? Json(proposal.ended_by) : Json()},
          {"ended", is_over ? Json(RenderTime(proposal.ended_ms)) : Json()},
          {"merged", proposal.merged.IsZero() ? Json() : Json(proposal.merged.Hex())}};
}

Json RenderReview(const Review& review) {
  Json notes = Json::array();
  for (const FactNote& note : review.facts)
    notes.push_back({{"edit", note.edit.Hex()}, {"text", note.text}});
  return {{"index", review.index},
          {"principal", review.principal.name},
          {"time", RenderTime(review.time_ms)},
          {"revision", review.revision.Hex()},
          {"verdict", VerdictName(review.verdict)},
          {"text", review.text},
          {"facts", std::move(notes)}};
}

// The facts of these edits: [{"edit", "fact"}].
Result<Json> RenderFacts(const Repository& repo, const std::vector<EditId>& ids) {
  Json list = Json::array();
  for (const EditId& id : ids) {
    EMEND_ASSIGN_OR_RETURN(const storage::objects::Edit edit, repo.objects().ReadEdit(id));
    for (const Fact& fact : edit.facts)
      list.push_back({{"edit", id.Hex()}, {"fact", RenderFact(fact)}});
  }
  return list;
}

Json RenderCheck(const Check& check, bool is_current) {
  Json measured = Json::object();
  for (const auto& [name, percent] : check.measured) measured[name] = percent;
  return {{"current", is_current},
          {"revision", check.revision.Hex()},
          {"state", check.state.Hex()},
          {"time", RenderTime(check.time_ms)},
          {"measured", std::move(measured)},
          {"evidence", Json::parse(check.evidence, nullptr, /*allow_exceptions=*/false)}};
}

Result<Json> RenderStanding(const Repository& repo, const Standing& standing) {
  Json json = RenderProposal(standing.proposal);
  json["revision"] =
      standing.proposal.merged.IsZero() ? Json() : Json(standing.proposal.revision.Hex());
  json["heads"] = nullptr;
  json["makers"] = Json::array();
  json["added"] = Json::array();
  json["removed"] = Json::array();
  if (standing.revision) {
    const Revision& revision = *standing.revision;
    json["revision"] = revision.id.Hex();
    json["heads"] = {{"source", revision.source.Hex()}, {"target", revision.target.Hex()}};
    json["makers"] = revision.makers;
    EMEND_ASSIGN_OR_RETURN(json["added"], RenderFacts(repo, revision.plan.added));
    EMEND_ASSIGN_OR_RETURN(json["removed"], RenderFacts(repo, revision.plan.removed));
  }
  json["reviews"] = Json::array();
  for (const Review& review : standing.reviews) json["reviews"].push_back(RenderReview(review));
  json["approvers"] = standing.approvers;
  json["objectors"] = standing.objectors;
  json["required"] = nullptr;
  if (standing.rule)
    json["required"] = {{"approvals", standing.rule->approvals},
                        {"measures", standing.rule->required}};
  json["check"] = standing.check ? RenderCheck(*standing.check, standing.is_check_current) : Json();
  json["blockers"] = Json::array();
  for (const Blocker& blocker : standing.blockers)
    json["blockers"].push_back({{"code", BlockName(blocker.block)}, {"message", blocker.message}});
  return json;
}

Awaitable<Result<Response>> ListAll(HandlerContext* context, Request request) {
  const auto limit = static_cast<std::size_t>(request.Whole("limit"));
  const ProposalFilter filter{
      .open_only = request.Text("state") == "open",
      .before = request.Has("after") ? static_cast<std::uint64_t>(request.Whole("after")) : 0,
      .count_max = limit + 1};
  EMEND_CO_ASSIGN_OR_RETURN(auto proposals,
                            co_await InRepo(context, request.repo(), [&](const Repository& repo) {
                              return ListProposals(repo, filter);
                            }));
  const auto key = [](const Proposal& proposal) { return std::to_string(proposal.number); };
  co_return PageResponse(CutPage(std::move(proposals), limit, key), RenderProposal);
}

Awaitable<Result<Response>> Read(HandlerContext* context, Request request) {
  co_return co_await InRepo(
      context, request.repo(), [&](const Repository& repo) -> Result<Response> {
        EMEND_ASSIGN_OR_RETURN(
            const Standing standing,
            ReadStanding(repo, static_cast<std::uint64_t>(request.Whole("number"))));
        EMEND_ASSIGN_OR_RETURN(const Json json, RenderStanding(repo, standing));
        return JsonResponse(200, json);
      });
}

Result<NewProposal> ReadNewProposal(const Request& request) {
  EMEND_ASSIGN_OR_RETURN(const auto body, ParseJsonObject(request.body));
  Fields fields(body);
  NewProposal wanted;
  wanted.source = fields.Required("source");
  wanted.target = fields.Text("target", storage::history::kDefaultBranch);
  wanted.title = fields.Text("title", "");
  wanted.text = fields.Text("text", "");
  fields.RefuseUnknown();
  EMEND_RETURN_IF_ERROR(fields.status());
  EMEND_RETURN_IF_ERROR(storage::history::CheckRefName(wanted.source).WithContext("at /source"));
  EMEND_RETURN_IF_ERROR(storage::history::CheckRefName(wanted.target).WithContext("at /target"));
  return wanted;
}

Awaitable<Result<Response>> Open(HandlerContext* context, Request request) {
  EMEND_CO_ASSIGN_OR_RETURN(const NewProposal wanted, ReadNewProposal(request));
  EMEND_CO_ASSIGN_OR_RETURN(const Proposal opened, co_await OnStore(context, [&](Journal& journal) {
                              return OpenProposal(journal, request.caller, request.repo(), wanted);
                            }));
  Response response = JsonResponse(201, RenderProposal(opened));
  response.headers.emplace_back("Location", "/api/v1/repos/" + request.repo().value() +
                                                "/proposals/" + std::to_string(opened.number));
  co_return response;
}

Status ReadNotes(Fields& fields, NewReview& review) {
  const nlohmann::json* notes = fields.Find("facts");
  if (notes == nullptr) return OkStatus();
  if (!notes->is_array() || notes->size() > kNotesMax) {
    fields.Refuse("facts", *notes, "a list of at most " + std::to_string(kNotesMax) + " notes");
    return fields.status();
  }
  for (std::size_t i = 0; i < notes->size(); ++i) {
    const std::string place = "facts/" + std::to_string(i);
    if (!(*notes)[i].is_object()) return InvalidArgument("at /" + place + ": expected an object");
    Fields note((*notes)[i], place + "/");
    const std::string edit = note.Required("edit");
    const std::string text = note.Text("text", "");
    note.RefuseUnknown();
    EMEND_RETURN_IF_ERROR(note.status());
    if (text.empty()) return InvalidArgument("at /" + place + "/text: expected what is said of it");
    const Result<EditId> id = EditId::FromHex(edit);
    if (!id.ok()) return InvalidArgument("at /" + place + "/edit: " + id.status().message());
    review.facts.push_back({*id, text});
  }
  return OkStatus();
}

Result<NewReview> ReadNewReview(const Request& request) {
  EMEND_ASSIGN_OR_RETURN(const auto body, ParseJsonObject(request.body));
  Fields fields(body);
  NewReview review{.proposal = static_cast<std::uint64_t>(request.Whole("number")),
                   .revision = {},
                   .text = fields.Text("text", ""),
                   .facts = {}};
  const std::string verdict = fields.Required("verdict");
  const std::string revision = fields.Required("revision");
  EMEND_RETURN_IF_ERROR(ReadNotes(fields, review));
  fields.RefuseUnknown();
  EMEND_RETURN_IF_ERROR(fields.status());
  const Result<Digest> seen = Digest::FromHex(revision);
  if (!seen.ok()) return InvalidArgument("at /revision: " + seen.status().message());
  review.revision = *seen;
  for (const Verdict one : {Verdict::kComment, Verdict::kApprove, Verdict::kRequestChanges}) {
    review.verdict = one;
    if (VerdictName(one) == verdict) return review;
  }
  return InvalidArgument("at /verdict: found \"" + Shortened(verdict) +
                         "\", known are comment, approve, request_changes");
}

Awaitable<Result<Response>> AddReview(HandlerContext* context, Request request) {
  EMEND_CO_ASSIGN_OR_RETURN(const NewReview wanted, ReadNewReview(request));
  EMEND_CO_ASSIGN_OR_RETURN(const Review said, co_await OnStore(context, [&](Journal& journal) {
                              return PutReview(journal, request.caller, request.repo(), wanted);
                            }));
  co_return JsonResponse(201, RenderReview(said));
}

Awaitable<Result<Response>> Close(HandlerContext* context, Request request) {
  EMEND_CO_RETURN_IF_ERROR(co_await OnStore(context, [&](Journal& journal) {
    return CloseProposal(journal, request.caller, request.repo(),
                         static_cast<std::uint64_t>(request.Whole("number")));
  }));
  co_return Response{.status = 204, .content_type = "", .body = "", .headers = {}, .stream = {}};
}

// The number is in the path.
Awaitable<Result<Response>> SubmitNumber(HandlerContext* context, Request request) {
  EMEND_CO_ASSIGN_OR_RETURN(const auto body, ParseJsonObject(request.body));
  Fields fields(body);
  fields.RefuseUnknown();
  EMEND_CO_RETURN_IF_ERROR(fields.status());
  coordinator::server::Submission submission{
      .kind = std::string(request.route->kind),
      .repo = request.repo(),
      .body = Json{{"proposal", request.Whole("number")}}.dump(),
      .idempotency_key = "",
      .fingerprint = {}};
  co_return co_await Submit(context, std::move(request), std::move(submission));
}

}  // namespace

std::vector<Route> ProposalRoutes() {
  Route check = SubmissionRoute({.pattern = "/api/v1/repos/{repo}/proposals/{number}/checks",
                                 .operation_id = "checkProposal",
                                 .summary = "Measure what its merge would give; result "
                                            "ProposalChecked",
                                 .scope = Scope::kPropose,
                                 .body = JsonBody("Nothing"),
                                 .kind = "proposal_check",
                                 .handler = SubmitNumber});
  Route merge = SubmissionRoute({.pattern = "/api/v1/repos/{repo}/proposals/{number}/merges",
                                 .operation_id = "mergeProposal",
                                 .summary = "Merge it, if nothing keeps it from that; result "
                                            "ProposalMerged",
                                 .scope = Scope::kMerge,
                                 .body = JsonBody("Nothing"),
                                 .kind = "proposal_merge",
                                 .handler = SubmitNumber});
  check.parameters.push_back(kNumber);
  merge.parameters.push_back(kNumber);
  return {{.method = Method::kGet,
           .pattern = "/api/v1/repos/{repo}/proposals",
           .operation_id = "listProposals",
           .summary = "Proposals, newest first",
           .scope = Scope::kRead,
           .parameters = {kRepo, kState, kLimit, kAfterProposal},
           .answer = {200, "ProposalPage"},
           .failures = {404},
           .handler = ListAll},
          {.method = Method::kPost,
           .pattern = "/api/v1/repos/{repo}/proposals",
           .operation_id = "openProposal",
           .summary = "Propose a branch's changes for another; an open one of the same is updated",
           .scope = Scope::kPropose,
           .parameters = {kRepo},
           .body = JsonBody("ProposalRequest"),
           .answer = {201, "Proposal"},
           .failures = {404, 409},
           .handler = Open},
          {.method = Method::kGet,
           .pattern = "/api/v1/repos/{repo}/proposals/{number}",
           .operation_id = "readProposal",
           .summary = "How a proposal stands: facts, reviews, what was measured, what is missing",
           .scope = Scope::kRead,
           .parameters = {kRepo, kNumber},
           .answer = {200, "ProposalDetail"},
           .failures = {404},
           .handler = Read},
          {.method = Method::kDelete,
           .pattern = "/api/v1/repos/{repo}/proposals/{number}",
           .operation_id = "closeProposal",
           .summary = "Close it without merging; its record stays",
           .scope = Scope::kPropose,
           .parameters = {kRepo, kNumber},
           .answer = {204, ""},
           .failures = {404, 409},
           .handler = Close},
          {.method = Method::kPost,
           .pattern = "/api/v1/repos/{repo}/proposals/{number}/reviews",
           .operation_id = "reviewProposal",
           .summary = "Say what one thinks of a revision (stale_revision, own_change)",
           .scope = Scope::kReview,
           .parameters = {kRepo, kNumber},
           .body = JsonBody("ReviewRequest"),
           .answer = {201, "Review"},
           .failures = {404, 409},
           .handler = AddReview},
          std::move(check),
          std::move(merge)};
}

}  // namespace emend::api::rest
