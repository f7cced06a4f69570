#include "api/rest/operation.h"

#include <algorithm>

#include "api/rest/problem.h"
#include "api/rest/strict_json.h"

namespace emend::api::rest {
namespace {

using coordinator::server::OperationView;
using coordinator::server::Submission;

constexpr std::int64_t kTimeoutMax = 30 * 24 * 3600;  // seconds

constexpr Parameter kPriority{"priority", In::kQuery, Choice{kPriorities, "normal"},
                              "How urgent it is; a better class is started first"};
constexpr Parameter kTimeout{"timeout", In::kQuery, WholeNumber{1, kTimeoutMax, std::nullopt},
                             "Seconds from its acceptance: if it has not ended by then, waiting or "
                             "running, it ends as failed with deadline_passed"};
// The draft's quoted string, or the bare text that most clients send.
constexpr Parameter kIdempotencyKey{"Idempotency-Key", In::kHeader,
                                    Text{130, R"re(^("[ !#-~]{1,128}"|[!#-~][ !#-~]{0,127})$)re",
                                         "1 to 128 characters of ASCII, in quotes or without any"}};

std::string KeyOf(const Request& request) {
  std::string key = request.Text("Idempotency-Key");
  if (key.starts_with('"')) key = key.substr(1, key.size() - 2);
  return key;
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

Awaitable<Result<Response>> SubmitBody(HandlerContext* context, Request request) {
  Submission submission{.kind = std::string(request.route->kind),
                        .repo = request.repo(),
                        .body = "",
                        .idempotency_key = "",
                        .fingerprint = {}};
  return Submit(context, std::move(request), std::move(submission));
}

Json RenderError(const storage::records::Operation& operation) {
  if (operation.error_slug.empty()) return nullptr;
  const auto code = static_cast<StatusCode>(operation.error_code);
  const Status status(code == StatusCode::kOk ? StatusCode::kInternal : code, operation.error_slug,
                      operation.error_message);
  return {{"status", HttpStatusOf(status)},
          {"code", operation.error_slug},
          {"category", CodeName(status.code())},
          {"detail", operation.error_message}};
}

}  // namespace

Route SubmissionRoute(const SubmissionOptions& options) {
  Route route{.method = Method::kPost,
              .pattern = options.pattern,
              .operation_id = options.operation_id,
              .summary = options.summary,
              .scope = options.scope,
              .parameters = {kWait, kPriority, kTimeout, kIdempotencyKey},
              .body = options.body,
              .answer = {202, "Operation"},
              .kind = options.kind,
              .handler = options.handler == nullptr ? SubmitBody : options.handler};
  if (options.pattern.find("{repo}") == std::string_view::npos) return route;
  route.parameters.insert(route.parameters.begin(), kRepo);
  route.failures = {404};
  return route;
}

Awaitable<Result<Response>> Submit(HandlerContext* context, Request request,
                                   Submission submission) {
  const auto priority = storage::records::ParsePriority(request.Text("priority"));
  submission.priority = priority.value_or(storage::records::Priority::kNormal);
  if (request.Has("timeout")) submission.timeout = std::chrono::seconds(request.Whole("timeout"));
  submission.idempotency_key = KeyOf(request);
  const Request* const borrowed = &request;
  const Checked checked =
      co_await Blocking(*context->runtime, [borrowed] { return Check(*borrowed); });
  EMEND_CO_RETURN_IF_ERROR(checked.status);
  submission.fingerprint = checked.fingerprint;
  if (submission.body.empty()) submission.body = std::move(request.body);
  EMEND_CO_ASSIGN_OR_RETURN(
      OperationView view, co_await context->service->Submit(request.caller, std::move(submission)));
  EMEND_CO_ASSIGN_OR_RETURN(view, co_await AwaitEnd(context, std::move(view), WaitOf(request)));
  Response response = JsonResponse(202, RenderOperation(view));
  response.headers.emplace_back("Location", "/api/v1/operations/" + view.operation.id.value());
  co_return response;
}

Awaitable<Result<OperationView>> AwaitEnd(HandlerContext* context, OperationView view,
                                          std::chrono::milliseconds wait) {
  const SteadyTime deadline = context->runtime->clock().Now() + wait;
  while (!IsEnded(view.operation) && !context->stopping) {
    const SteadyTime now = context->runtime->clock().Now();
    if (now >= deadline) break;
    EMEND_CO_ASSIGN_OR_RETURN(
        view, co_await context->service->WaitForChange(view.operation.id, view.version,
                                                       std::min(deadline, now + kWaitSlice)));
  }
  co_return view;
}

std::chrono::milliseconds WaitOf(const Request& request) {
  const std::string text = request.Text("wait");
  if (text.empty()) return std::chrono::milliseconds(0);
  const std::int64_t count = ParseWhole(text.substr(0, text.find_first_of("ms"))).value_or(0);
  if (text.ends_with("ms")) return std::chrono::milliseconds(count);
  return std::chrono::seconds(count);
}

bool IsEnded(const storage::records::Operation& operation) {
  using storage::records::OperationState;
  return operation.state != OperationState::kAccepted &&
         operation.state != OperationState::kRunning;
}

Json RenderOperation(const OperationView& view) {
  const storage::records::Operation& operation = view.operation;
  Json json;
  json["id"] = operation.id.value();
  json["kind"] = operation.kind;
  json["repo"] = operation.repo.empty() ? Json() : Json(operation.repo);
  json["state"] = storage::records::OperationStateName(operation.state);
  json["priority"] = storage::records::PriorityName(operation.priority);
  json["deadline"] = operation.deadline_ms == 0 ? Json() : Json(RenderTime(operation.deadline_ms));
  json["position"] = view.position ? Json(*view.position) : Json();
  json["phase"] = view.progress.phase;
  json["done"] = view.progress.done;
  json["total"] = view.progress.total;
  json["eta_seconds"] = view.progress.eta_seconds < 0 ? Json() : Json(view.progress.eta_seconds);
  json["principal"] = operation.principal.name;
  json["accepted"] = RenderTime(operation.accepted_ms);
  json["finished"] = operation.finished_ms == 0 ? Json() : Json(RenderTime(operation.finished_ms));
  json["result"] = operation.result.empty()
                       ? Json()
                       : Json::parse(operation.result, nullptr, /*allow_exceptions=*/false);
  json["error"] = RenderError(operation);
  json["version"] = view.version;
  return json;
}

}  // namespace emend::api::rest
