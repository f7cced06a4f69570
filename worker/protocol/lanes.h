// A worker has two lanes of requests. Work runs one at a time, in order; questions, and what must be in place for them, are answered while work is under way,
// between two of its reports. A request keeps its lane from the coordinator's line of calls to the worker's compute thread.
#pragma once

#include "worker/protocol/messages.h"

namespace emend::worker::protocol {

enum class Lane : std::uint8_t { kWork, kAnswers };

Lane LaneOf(const RequestBody& request);

}  // namespace emend::worker::protocol
