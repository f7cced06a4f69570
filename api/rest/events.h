// Server-sent events. Inside this folder only; pure functions.
#pragma once

#include <string>
#include <string_view>

#include "api/rest/problem.h"
#include "api/rest/render.h"

namespace emend::api::rest {

// "event: NAME" and "data: JSON"; a name may be empty.
inline std::string EventOf(std::string_view name, const Json& data) {
  const std::string head = name.empty() ? "" : "event: " + std::string(name) + "\n";
  return head + "data: " + JsonResponse(200, data).body + "\n\n";
}

// A failure after the first byte cannot change the status any more: it is the last event, with the
// problem that the answer would have been.
inline std::string FailedEvent(std::string_view name, const Status& status,
                               std::string_view instance) {
  const std::string head = name.empty() ? "" : "event: " + std::string(name) + "\n";
  return head + "data: " + ProblemResponse(status, instance).body + "\n\n";
}

inline Status ServerStops() {
  return {StatusCode::kUnavailable, "stopping",
          "the server is stopping: ask the next one for what is missing"};
}

}  // namespace emend::api::rest
