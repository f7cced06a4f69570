// What a worker's health file says: whether the worker lives, and whether it can be given work.
//
//   CheckHealth("/run/emend/health", Question::kReady, std::chrono::system_clock::now()).ok()
//
// emend-worker writes the file at each heartbeat and at each attempt to dial (`--health-file`).
// Thread-safe; blocks.
#pragma once

#include <chrono>
#include <string>

#include "storage/base/status.h"

namespace emend::worker::probe {

enum class Question { kLive, kReady };

// A live worker writes at least every few seconds, whatever it computes.
constexpr std::chrono::seconds kStale{60};

// kLive: written within the last minute. kReady: that, and the coordinator has welcomed the worker.
// kNotFound before the first attempt to dial; kUnavailable ("hangs", "dialling") says what was
// found.
Status CheckHealth(const std::string& file, Question question,
                   std::chrono::system_clock::time_point now);

}  // namespace emend::worker::probe
