// A worker has three lanes of requests. Work runs one at a time, in order; questions, and what must
// be in place for them, one at a time between two of the work's reports; texts many at once, a step
// for all of them. A request keeps its lane from the coordinator's line of calls to the worker's
// compute thread.
#pragma once

#include <cstddef>

#include "worker/protocol/messages.h"

namespace emend::worker::protocol {

enum class Lane : std::uint8_t { kWork, kAnswers, kTexts };
inline constexpr std::size_t kLaneCount = 3;

Lane LaneOf(const RequestBody& request);
// Calls of the lane that a worker takes at once.
std::size_t WidthOf(Lane lane);

}  // namespace emend::worker::protocol
