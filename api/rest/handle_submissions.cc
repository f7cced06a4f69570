#include "api/rest/handlers.h"
#include "api/rest/render.h"
#include "api/rest/strict_json.h"

namespace emend::api::rest {
namespace {

using coordinator::server::OperationView;
using coordinator::server::Submission;

constexpr std::size_t kIdempotencyKeyMax = 128;

// The draft's quoted string, or the bare text that most clients send.
Result<std::string> IdempotencyKey(const Request& request) {
  std::string key = request.Header("idempotency-key");
  if (request.headers.contains("idempotency-key") && (key.empty() || key == "\"\"")) {
    return Status(StatusCode::kInvalidArgument, "malformed_request",
                  "reading Idempotency-Key: it is empty; send a key of 1 to " +
                      std::to_string(kIdempotencyKeyMax) + " characters, or no such header");
  }
  if (key.size() >= 2 && key.front() == '"' && key.back() == '"')
    key = key.substr(1, key.size() - 2);
  if (key.size() <= kIdempotencyKeyMax) return key;
  return Status(StatusCode::kInvalidArgument, "malformed_request",
                "reading Idempotency-Key: found " + std::to_string(key.size()) +
                    " characters, at most " + std::to_string(kIdempotencyKeyMax) + " are allowed");
}

Digest Fingerprint(const Request& request) {
  Sha256Hasher hasher;
  for (const std::string_view part :
       {MethodName(request.route->method), std::string_view(request.path),
        std::string_view(request.body)}) {
    hasher.Update(std::to_string(part.size()) + ":");
    hasher.Update(part);
  }
  return hasher.Finish();
}

// Bulk bodies take a while to check and hash: not on the thread that serves everybody.
struct Checked {
  Status status;
  Digest fingerprint;
};
Checked Check(const Request& request) {
  return {CheckJsonObject(request.body), Fingerprint(request)};
}

Awaitable<Result<Response>> Submit(HandlerContext* context, Request request,
                                   Submission submission) {
  EMEND_CO_ASSIGN_OR_RETURN(const std::chrono::milliseconds wait, WaitParameter(request));
  EMEND_CO_ASSIGN_OR_RETURN(submission.priority, PriorityParameter(request));
  EMEND_CO_ASSIGN_OR_RETURN(submission.timeout, TimeoutParameter(request));
  EMEND_CO_ASSIGN_OR_RETURN(submission.idempotency_key, IdempotencyKey(request));
  const Request* const borrowed = &request;
  const Checked checked =
      co_await Blocking(*context->runtime, [borrowed] { return Check(*borrowed); });
  EMEND_CO_RETURN_IF_ERROR(checked.status);
  submission.fingerprint = checked.fingerprint;
  if (submission.body.empty()) submission.body = std::move(request.body);
  EMEND_CO_ASSIGN_OR_RETURN(
      OperationView view, co_await context->service->Submit(request.caller, std::move(submission)));
  EMEND_CO_ASSIGN_OR_RETURN(view, co_await AwaitEnd(context, std::move(view), wait));
  Response response = JsonResponse(202, RenderOperation(view));
  response.headers.emplace_back("Location", "/api/v1/operations/" + view.operation.id.value());
  co_return response;
}

Awaitable<Result<Response>> SubmitKind(HandlerContext* context, Request request, const char* kind) {
  Submission submission{.kind = kind,
                        .repo = request.place.contains("repo") ? request.repo() : RepoName(),
                        .body = "",
                        .idempotency_key = "",
                        .fingerprint = {}};
  return Submit(context, std::move(request), std::move(submission));
}

}  // namespace

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
  Submission submission{.kind = "import",
                        .repo = std::move(repo),
                        .body = body.dump(),
                        .idempotency_key = "",
                        .fingerprint = {}};
  co_return co_await Submit(context, std::move(request), std::move(submission));
}

Awaitable<Result<Response>> SubmitCommit(HandlerContext* context, Request request) {
  return SubmitKind(context, std::move(request), "commit");
}
Awaitable<Result<Response>> SubmitRevert(HandlerContext* context, Request request) {
  return SubmitKind(context, std::move(request), "revert");
}
Awaitable<Result<Response>> SubmitEvaluation(HandlerContext* context, Request request) {
  return SubmitKind(context, std::move(request), "evaluation");
}
Awaitable<Result<Response>> SubmitVerification(HandlerContext* context, Request request) {
  return SubmitKind(context, std::move(request), "verify");
}
Awaitable<Result<Response>> SubmitExport(HandlerContext* context, Request request) {
  return SubmitKind(context, std::move(request), "export");
}
Awaitable<Result<Response>> SubmitStatistics(HandlerContext* context, Request request) {
  return SubmitKind(context, std::move(request), "statistics");
}
Awaitable<Result<Response>> SubmitFsck(HandlerContext* context, Request request) {
  return SubmitKind(context, std::move(request), "fsck");
}

}  // namespace emend::api::rest
