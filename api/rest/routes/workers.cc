#include "api/rest/handler.h"
#include "api/rest/page.h"

namespace emend::api::rest {
namespace {

Json RenderMemory(const worker::protocol::MemoryUse& memory) {
  return {{"weights_bytes", memory.weights_bytes},
          {"states_bytes", memory.states_bytes},
          {"statistics_bytes", memory.statistics_bytes},
          {"cache_bytes", memory.cache_bytes}};
}

Json RenderWorker(const coordinator::membership::WorkerInfo& worker) {
  return {{"worker", worker.worker.value()},
          {"group", worker.group},
          {"rank", worker.rank},
          {"device", worker.device},
          {"peer", worker.peer},
          {"state",
           worker.state == coordinator::membership::WorkerState::kConnected ? "connected" : "lost"},
          {"process_id", worker.process_id},
          {"generation", worker.generation},
          {"last_heard_ms_ago", worker.last_heard_ms_ago},
          {"calls", worker.calls},
          {"stale_frames", worker.stale_frames},
          {"memory", RenderMemory(worker.memory)},
          {"file_bytes_read", worker.memory.file_bytes_read}};
}

Awaitable<Result<Response>> ListWorkers(HandlerContext* context, Request request) {
  const auto key = [](const auto& worker) { return worker.worker.value(); };
  co_return PageResponse(PageAfter(request, context->service->Workers(), key), RenderWorker);
}

}  // namespace

std::vector<Route> WorkerRoutes() {
  return {{.method = Method::kGet,
           .pattern = "/api/v1/workers",
           .operation_id = "listWorkers",
           .summary = "Workers that are or were connected",
           .scope = Scope::kRead,
           .parameters = {kLimit, kAfterKey},
           .answer = {200, "WorkerPage"},
           .handler = ListWorkers}};
}

}  // namespace emend::api::rest
