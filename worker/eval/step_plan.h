// StepPlan: what every rank does in one step of the completion engine, as rank 0 decided it.
// Internal to worker/eval.
//
//   std::string bytes = EncodePlan(plan);                                  // rank 0
//   EMEND_ASSIGN_OR_RETURN(StepPlan plan, DecodePlan(bytes));              // the others
//
// Its parts are done in the order of the members. Thread-safety: values.
#pragma once

#include <string>
#include <string_view>
#include <tuple>
#include <vector>

#include "storage/base/ids.h"
#include "storage/base/status.h"
#include "worker/model/key_value_cache.h"
#include "worker/tokenizer/tokenizer.h"

namespace emend::worker::eval {

struct PlannedRun {
  model::CacheRun place;
  std::int64_t logits = 0;  // behind so many of its last tokens they are wanted
  static auto Fields(auto& m) {
    return std::tie(m.place.slot, m.place.begin, m.place.tokens, m.logits);
  }
  friend bool operator==(const PlannedRun&, const PlannedRun&) = default;
};

// The rows of one state that this step moves.
struct StatePass {
  StateId state;
  std::vector<PlannedRun> runs;            // slots ascend
  std::vector<tokenizer::TokenId> tokens;  // of all runs, one behind the other
  static auto Fields(auto& m) { return std::tie(m.state, m.runs, m.tokens); }
  friend bool operator==(const StatePass&, const StatePass&) = default;
};

struct CacheChange {
  StateId state;
  model::KeyValueCache::Size size;
  static auto Fields(auto& m) { return std::tie(m.state, m.size.slots, m.size.capacity); }
  friend bool operator==(const CacheChange&, const CacheChange&) = default;
};

struct StepPlan {
  std::vector<StateId> closed;  // states that are let go
  std::vector<StateId> opened;  // states whose models are looked up and held
  std::vector<CacheChange> caches;
  std::vector<StatePass> passes;
  static auto Fields(auto& m) { return std::tie(m.closed, m.opened, m.caches, m.passes); }
  friend bool operator==(const StepPlan&, const StepPlan&) = default;
};

std::string EncodePlan(const StepPlan& plan);
// kDataLoss for bytes that EncodePlan of this version does not write.
Result<StepPlan> DecodePlan(std::string_view bytes);

}  // namespace emend::worker::eval
