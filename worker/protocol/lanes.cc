#include "worker/protocol/lanes.h"

namespace emend::worker::protocol {

Lane LaneOf(const RequestBody& request) {
  const bool answers = std::holds_alternative<LoadBase>(request) || std::holds_alternative<EnsureState>(request) || std::holds_alternative<PutEdits>(request) ||
                       std::holds_alternative<Generate>(request);
  return answers ? Lane::kAnswers : Lane::kWork;
}

}  // namespace emend::worker::protocol
