#include <nlohmann/json.hpp>
#include <thread>

#include "api/client/client.h"

namespace emend::api::client {
namespace {

using json = nlohmann::ordered_json;

template <typename T>
T Field(const json& object, const char* name, T fallback) {
  const auto found = object.find(name);
  if (found == object.end() || found->is_null()) return fallback;
  try {
    return found->get<T>();
  } catch (const json::exception&) {
    return fallback;
  }
}

OperationUpdate ReadUpdate(const json& operation) {
  return {.id = Field<std::string>(operation, "id", ""),
          .kind = Field<std::string>(operation, "kind", ""),
          .state = Field<std::string>(operation, "state", ""),
          .phase = Field<std::string>(operation, "phase", ""),
          .done = Field<std::uint64_t>(operation, "done", 0),
          .total = Field<std::uint64_t>(operation, "total", 0),
          .eta_seconds = Field<double>(operation, "eta_seconds", -1),
          .position = Field<std::int64_t>(operation, "position", -1)};
}

Result<std::string> Outcome(const OperationUpdate& update, const json& operation) {
  if (update.state == "succeeded")
    return operation.value("result", json()).dump(-1, ' ', false, json::error_handler_t::replace);
  const json error = operation.value("error", json());
  if (!error.is_object())
    return Status(StatusCode::kCancelled,
                  "the operation " + update.id + " ended as " + update.state);
  return StatusOfProblem(Field<int>(error, "status", 500),
                         error.dump(-1, ' ', false, json::error_handler_t::replace))
      .WithContext("the operation " + update.id);
}

}  // namespace

Result<std::string> Client::WaitForOperation(
    const std::string& id, const std::function<void(const OperationUpdate&)>& on_update,
    std::chrono::seconds patience) const {
  auto last_answer = std::chrono::steady_clock::now();
  // Short waits: a progress bar should move while the operation runs, and the end should be seen
  // when it comes.
  const Call call{.method = "GET",
                  .path = "/api/v1/operations/" + EncodeSegment(id) + "?wait=250ms",
                  .body = "",
                  .headers = {}};
  while (true) {
    const Result<Reply> reply = Send(call);
    const auto now = std::chrono::steady_clock::now();
    if (!reply.ok()) {
      if (reply.status().code() != StatusCode::kUnavailable || now - last_answer > patience)
        return reply.status();
      std::this_thread::sleep_for(std::chrono::milliseconds(200));
      continue;
    }
    last_answer = now;
    const json operation = json::parse(reply->body, nullptr, /*allow_exceptions=*/false);
    if (!operation.is_object())
      return Internal("reading the operation " + id + ": the server's answer is no JSON object");
    const OperationUpdate update = ReadUpdate(operation);
    if (on_update) on_update(update);
    if (update.state != "accepted" && update.state != "running") return Outcome(update, operation);
  }
}

}  // namespace emend::api::client
