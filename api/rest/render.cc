#include "api/rest/render.h"

#include <array>
#include <cstdio>
#include <ctime>

#include "api/rest/problem.h"

namespace emend::api::rest {

std::string RenderTime(std::int64_t unix_ms) {
  const auto seconds =
      static_cast<std::time_t>(unix_ms >= 0 ? unix_ms / 1000 : (unix_ms - 999) / 1000);
  std::tm parts{};
  gmtime_r(&seconds, &parts);
  std::array<char, 32> text{};
  const std::size_t length = std::strftime(text.data(), text.size(), "%Y-%m-%dT%H:%M:%S", &parts);
  std::snprintf(text.data() + length, text.size() - length, ".%03dZ",
                static_cast<int>(unix_ms - static_cast<std::int64_t>(seconds) * 1000));
  return text.data();
}

Response JsonResponse(int status, const Json& json) {
  return {.status = status,
          .content_type = "application/json",
          .body = json.dump(-1, ' ', false, Json::error_handler_t::replace),
          .headers = {},
          .stream = {}};
}

namespace {

template <typename Id>
Json IdOrNull(const Id& id) {
  return id.IsZero() ? Json() : Json(id.Hex());
}

Json RenderOperationError(const storage::records::Operation& operation) {
  if (operation.error_slug.empty()) return nullptr;
  const auto code = static_cast<StatusCode>(operation.error_code);
  const Status status(code == StatusCode::kOk ? StatusCode::kInternal : code, operation.error_slug,
                      operation.error_message);
  return {{"status", HttpStatusOf(status)},
          {"code", operation.error_slug},
          {"category", CodeName(status.code())},
          {"detail", operation.error_message}};
}

Json RenderMemory(const worker::protocol::MemoryUse& memory) {
  return {{"weights_bytes", memory.weights_bytes},
          {"states_bytes", memory.states_bytes},
          {"statistics_bytes", memory.statistics_bytes},
          {"cache_bytes", memory.cache_bytes}};
}

}  // namespace

bool IsEnded(const storage::records::Operation& operation) {
  using storage::records::OperationState;
  return operation.state != OperationState::kAccepted &&
         operation.state != OperationState::kRunning;
}

Json RenderOperation(const coordinator::server::OperationView& view) {
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
  json["error"] = RenderOperationError(operation);
  json["version"] = view.version;
  return json;
}

Json RenderRef(const storage::history::Ref& ref) {
  return {{"kind", ref.kind == storage::history::RefKind::kBranch ? "branch" : "tag"},
          {"name", ref.name},
          {"commit", ref.commit.Hex()}};
}

Json RenderReflogEntry(const storage::history::ReflogEntry& entry) {
  return {{"index", entry.index},
          {"from", IdOrNull(entry.from)},
          {"to", IdOrNull(entry.to)},
          {"principal", entry.principal},
          {"time", RenderTime(entry.time_ms)},
          {"reason", entry.reason}};
}

Json RenderAuditEntry(const storage::records::AuditEntry& entry) {
  Json ids = Json::array();
  for (const auto& [name, id] : entry.act.ids) ids.push_back({{"name", name}, {"id", id}});
  return {{"sequence", entry.sequence},
          {"previous", entry.previous.Hex()},
          {"time", RenderTime(entry.time_ms)},
          {"principal", entry.principal.name},
          {"token_id", entry.principal.token_id},
          {"act", entry.act.act},
          {"ids", std::move(ids)}};
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
          {"protocol_version", worker.protocol_version},
          {"memory", RenderMemory(worker.memory)},
          {"file_bytes_read", worker.memory.file_bytes_read}};
}

Json RenderStatistics(const coordinator::server::StatisticsInfo& info) {
  return {{"id", info.id},
          {"layers", info.layers},
          {"tokens", info.tokens},
          {"created", RenderTime(info.created_ms)}};
}

Json RenderAnswer(const coordinator::server::AskAnswer& answer) {
  Json top = Json::array();
  for (const auto& token : answer.top)
    top.push_back({{"token", token.token}, {"probability", token.probability}});
  return {{"commit", answer.commit.Hex()},
          {"state", answer.state.Hex()},
          {"text", answer.text},
          {"tokens", answer.tokens},
          {"top", std::move(top)}};
}

}  // namespace emend::api::rest
