#include <algorithm>

#include "api/rest/handlers.h"
#include "api/rest/render.h"

namespace emend::api::rest {
namespace {

using coordinator::server::OperationView;

// A wait is cut into slices, so that stopping the server is noticed and needs no cancellation of
// the service's waits.
constexpr std::chrono::milliseconds kSlice{500};
constexpr std::chrono::seconds kHeartbeat{15};
constexpr std::size_t kOperationsMax = 1000;

std::string EventText(const OperationView& view) {
  const char* const name = IsEnded(view.operation) ? "ended" : "progress";
  return "id: " + std::to_string(view.version) + "\nevent: " + name +
         "\ndata: " + JsonResponse(200, RenderOperation(view)).body + "\n\n";
}

// `seen`: the version that the client knows; a version that this process has not reached was given
// by an earlier one and counts as nothing.
Awaitable<Status> WriteEvents(HandlerContext* context, OperationView view, std::uint64_t seen,
                              EventSink* sink) {
  if (seen > view.version) seen = 0;
  SteadyTime last_write = context->runtime->clock().Now();
  bool fresh = view.version != seen || seen == 0 || IsEnded(view.operation);
  while (!sink->stopping()) {
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
    EMEND_CO_ASSIGN_OR_RETURN(
        view, co_await context->service->WaitForChange(view.operation.id, version, now + kSlice));
    fresh = view.version != version;
  }
  co_return OkStatus();
}

std::uint64_t LastEventId(const Request& request) {
  const std::string text = request.Header("last-event-id");
  const bool digits = !text.empty() && text.size() < 19 &&
                      std::ranges::all_of(text, [](char c) { return c >= '0' && c <= '9'; });
  return digits ? std::stoull(text) : 0;
}

}  // namespace

Awaitable<Result<OperationView>> AwaitEnd(HandlerContext* context, OperationView view,
                                          std::chrono::milliseconds wait) {
  const SteadyTime deadline = context->runtime->clock().Now() + wait;
  while (!IsEnded(view.operation) && !context->stopping) {
    const SteadyTime now = context->runtime->clock().Now();
    if (now >= deadline) break;
    EMEND_CO_ASSIGN_OR_RETURN(
        view, co_await context->service->WaitForChange(view.operation.id, view.version,
                                                       std::min(deadline, now + kSlice)));
  }
  co_return view;
}

Awaitable<Result<Response>> ReadOperation(HandlerContext* context, Request request) {
  EMEND_CO_ASSIGN_OR_RETURN(const std::chrono::milliseconds wait, WaitParameter(request));
  EMEND_CO_ASSIGN_OR_RETURN(OperationView view, co_await context->service->ReadOperation(
                                                    OperationId(request.place.at("id"))));
  EMEND_CO_ASSIGN_OR_RETURN(view, co_await AwaitEnd(context, std::move(view), wait));
  co_return JsonResponse(200, RenderOperation(view));
}

// Newest first; the cursor is the last id of the page before.
Awaitable<Result<Response>> ListOperations(HandlerContext* context, Request request) {
  EMEND_CO_ASSIGN_OR_RETURN(const std::uint64_t limit,
                            NumberParameter(request, "limit", 100, kOperationsMax));
  const OperationId before(request.Query("after"));
  EMEND_CO_ASSIGN_OR_RETURN(auto operations,
                            co_await context->service->ListOperations(before, limit + 1));
  const bool more = operations.size() > limit;
  if (more) operations.resize(limit);
  Json items = Json::array();
  for (const auto& operation : operations) items.push_back(RenderOperation(operation));
  const Json next =
      more && !operations.empty() ? Json(operations.back().operation.id.value()) : Json();
  co_return JsonResponse(200, {{"items", std::move(items)}, {"next", next}});
}

Awaitable<Result<Response>> CancelOperation(HandlerContext* context, Request request) {
  EMEND_CO_ASSIGN_OR_RETURN(
      const OperationView view,
      co_await context->service->Cancel(request.caller, OperationId(request.place.at("id"))));
  co_return JsonResponse(202, RenderOperation(view));
}

Awaitable<Result<Response>> StreamOperation(HandlerContext* context, Request request) {
  EMEND_CO_ASSIGN_OR_RETURN(OperationView view, co_await context->service->ReadOperation(
                                                    OperationId(request.place.at("id"))));
  const std::uint64_t seen = LastEventId(request);
  co_return Response{.status = 200,
                     .content_type = "text/event-stream",
                     .body = "",
                     .headers = {},
                     .stream = [context, view = std::move(view), seen](EventSink* sink) {
                       return WriteEvents(context, view, seen, sink);
                     }};
}

}  // namespace emend::api::rest
