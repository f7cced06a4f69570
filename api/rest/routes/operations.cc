#include "api/rest/events.h"
#include "api/rest/operation.h"
#include "api/rest/page.h"

namespace emend::api::rest {
namespace {

using coordinator::server::OperationView;

constexpr std::chrono::seconds kHeartbeat{15};

constexpr Parameter kAfterOperation{
    "after", In::kQuery, Text{19, "^op-[0-9a-f]{16}$", "the \"next\" of an earlier page"},
    kNextDescription};
// What is none of ours is taken for that of an earlier process: all is told.
constexpr Parameter kLastEventId{"Last-Event-ID", In::kHeader,
                                 Text{64, "^[ -~]*$", "the id of an event"}};

std::string EventText(const OperationView& view) {
  return "id: " + std::to_string(view.version) + "\n" +
         EventOf(IsEnded(view.operation) ? "ended" : "progress", RenderOperation(view));
}

// `last`: the version that the client knows; a version that this process has not reached was given
// by an earlier one and counts as nothing.
Awaitable<Status> WriteEvents(HandlerContext* context, OperationView view, std::int64_t last,
                              EventSink* sink) {
  std::uint64_t seen = last < 0 ? 0 : static_cast<std::uint64_t>(last);
  if (seen > view.version) seen = 0;
  SteadyTime last_write = context->runtime->clock().Now();
  bool fresh = view.version != seen || seen == 0 || IsEnded(view.operation);
  while (!sink->stopping()) {
    if (sink->client_left()) co_return Unavailable("following an operation: the client has left");
    const SteadyTime now = context->runtime->clock().Now();
    if (fresh) {
      EMEND_CO_RETURN_IF_ERROR(co_await sink->Send(EventText(view)));
      last_write = now;
      if (IsEnded(view.operation)) co_return OkStatus();
    } else if (now - last_write >= kHeartbeat) {
      EMEND_CO_RETURN_IF_ERROR(co_await sink->Send(": still here\n\n"));
      last_write = now;
    }
    const std::uint64_t version = view.version;
    EMEND_CO_ASSIGN_OR_RETURN(view, co_await context->service->WaitForChange(
                                        view.operation.id, version, now + kWaitSlice));
    fresh = view.version != version;
  }
  const std::string path = "/api/v1/operations/" + view.operation.id.value() + "/events";
  co_return co_await sink->Send(FailedEvent("failed", ServerStops(), path));
}

Awaitable<Result<Response>> ReadOperation(HandlerContext* context, Request request) {
  EMEND_CO_ASSIGN_OR_RETURN(OperationView view, co_await context->service->ReadOperation(
                                                    OperationId(request.Text("id"))));
  EMEND_CO_ASSIGN_OR_RETURN(view, co_await AwaitEnd(context, std::move(view), WaitOf(request)));
  co_return JsonResponse(200, RenderOperation(view));
}

// Newest first; the cursor is the last id of the page before.
Awaitable<Result<Response>> ListOperations(HandlerContext* context, Request request) {
  const auto limit = static_cast<std::size_t>(request.Whole("limit"));
  const OperationId before(request.Text("after"));
  EMEND_CO_ASSIGN_OR_RETURN(auto operations,
                            co_await context->service->ListOperations(before, limit + 1));
  const auto key = [](const OperationView& view) { return view.operation.id.value(); };
  co_return PageResponse(CutPage(std::move(operations), limit, key), RenderOperation);
}

Awaitable<Result<Response>> CancelOperation(HandlerContext* context, Request request) {
  EMEND_CO_ASSIGN_OR_RETURN(
      const OperationView view,
      co_await context->service->Cancel(request.caller, OperationId(request.Text("id"))));
  co_return JsonResponse(202, RenderOperation(view));
}

Awaitable<Result<Response>> StreamOperation(HandlerContext* context, Request request) {
  EMEND_CO_ASSIGN_OR_RETURN(OperationView view, co_await context->service->ReadOperation(
                                                    OperationId(request.Text("id"))));
  const std::int64_t last = ParseWhole(request.Text("Last-Event-ID")).value_or(0);
  co_return Response{.status = 200,
                     .content_type = "text/event-stream",
                     .body = "",
                     .headers = {},
                     .stream = [context, view = std::move(view), last](EventSink* sink) {
                       return WriteEvents(context, view, last, sink);
                     }};
}

}  // namespace

std::vector<Route> OperationRoutes() {
  return {
      {.method = Method::kGet,
       .pattern = "/api/v1/operations",
       .operation_id = "listOperations",
       .summary = "Long work, newest first",
       .scope = Scope::kRead,
       .parameters = {kLimit, kAfterOperation},
       .answer = {200, "OperationPage"},
       .handler = ListOperations},
      {.method = Method::kGet,
       .pattern = "/api/v1/operations/{id}",
       .operation_id = "readOperation",
       .summary = "One operation; with wait, once it has ended or the wait is over",
       .scope = Scope::kRead,
       .parameters = {kOperationId, kWait},
       .answer = {200, "Operation"},
       .failures = {404},
       .handler = ReadOperation},
      {.method = Method::kDelete,
       .pattern = "/api/v1/operations/{id}",
       .operation_id = "cancelOperation",
       .summary = "Ask an operation to end",
       .scope = Scope::kMerge,
       .parameters = {kOperationId},
       .answer = {202, "Operation"},
       .failures = {404, 409},
       .handler = CancelOperation},
      {.method = Method::kGet,
       .pattern = "/api/v1/operations/{id}/events",
       .operation_id = "streamOperation",
       .summary = "Its changes as server-sent events (progress, ended), each with the Operation; "
                  "failed with a Problem where the server stops first; Last-Event-ID resumes",
       .scope = Scope::kRead,
       .parameters = {kOperationId, kLastEventId},
       .answer = {200, "", Streams::kAlways, "", "OperationEvent"},
       .failures = {404},
       .handler = StreamOperation}};
}

}  // namespace emend::api::rest
