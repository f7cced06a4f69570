#include "worker/protocol/lanes.h"

namespace emend::worker::protocol {
namespace {

constexpr std::size_t kTextsMax = 64;

}  // namespace

Lane LaneOf(const RequestBody& request) {
  if (std::holds_alternative<Complete>(request)) return Lane::kTexts;
  const bool answers =
      std::holds_alternative<LoadBase>(request) || std::holds_alternative<EnsureState>(request) ||
      std::holds_alternative<PutEdits>(request) || std::holds_alternative<Generate>(request) ||
      std::holds_alternative<ProbeRanks>(request) || std::holds_alternative<Publish>(request) ||
      std::holds_alternative<ReadPublication>(request) ||
      std::holds_alternative<AdoptGroup>(request);
  return answers ? Lane::kAnswers : Lane::kWork;
}

std::size_t WidthOf(Lane lane) { return lane == Lane::kTexts ? kTextsMax : 1; }

}  // namespace emend::worker::protocol
