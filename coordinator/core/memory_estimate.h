// What a model will take of each rank's memory, by kind, from its config.json and the shapes of its
// tensors alone.
//
//   EMEND_ASSIGN_OR_RETURN(const MemoryEstimate estimate, EstimateMemory("/models/atlas", {
//       .ranks = 2, .edits = 1000}));
//   estimate.ranks[0].weights_bytes;
//
// The first three kinds are what a worker reports as measured (worker/protocol/joining_messages.h,
// MemoryUse), and tests hold them together; the others are there for the time of a batch or of
// texts under way. The cuts are those of worker/families/shard_plan.h. No weights are read.
// Thread-safe: a pure function of the folder.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "storage/base/status.h"

namespace emend::coordinator::core {

struct MemoryQuestion {
  int ranks = 1;
  // that are edited; empty: those that commits edit if none is named
  std::vector<std::int32_t> layers = {};
  std::uint64_t edits = 100;  // active in a state
  // live at once besides the base, all edited in these layers
  std::uint64_t states = 4;
  // of a worker of one rank: so many parts of a batch are computed at once
  int threads = 1;
};

struct RankMemory {
  std::uint64_t weights_bytes = 0;  // fp32, this rank's part
  // edited tensors as served and as computed with, and the edits' columns
  std::uint64_t states_bytes = 0;
  // covariances of the layers dealt to this rank, and their factors
  std::uint64_t statistics_bytes = 0;
  // while a batch is solved: integer sums of the edited tensors, and the weights solved so far
  std::uint64_t ledgers_bytes = 0;
  std::uint64_t activations_bytes = 0;  // while targets are optimised
  // keys and values of as many texts as a worker completes at once, to the end of the context
  std::uint64_t cache_bytes = 0;
  std::uint64_t total_bytes() const {
    return weights_bytes + states_bytes + statistics_bytes + ledgers_bytes + activations_bytes +
           cache_bytes;
  }
};

struct MemoryEstimate {
  std::string family;
  std::uint64_t parameters = 0;
  std::vector<std::int32_t> layers;  // that are edited
  std::vector<RankMemory> ranks;
};

// As families::PlanModel and families::PlanShard; kInvalidArgument for a layer that is not there.
Result<MemoryEstimate> EstimateMemory(const std::string& folder, const MemoryQuestion& question);

}  // namespace emend::coordinator::core
