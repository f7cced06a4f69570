// StateModels: the models and caches of the states that completions use, on one rank, and the steps
// over them. Internal to worker/eval.
//
//   StepFailures failures = models.Prepare(plan);
//   // those of plan.passes whose state is not among them
//   Result<at::Tensor> logits = models.Run(passes);
//
// Every rank makes the same calls in the same order. Owned by one thread; blocks on compute.
#pragma once

#include <ATen/core/Tensor.h>

#include <map>
#include <memory>
#include <utility>
#include <vector>

#include "storage/base/ids.h"
#include "storage/base/status.h"
#include "worker/collective/communicator.h"
#include "worker/eval/completion_engine.h"
#include "worker/eval/step_plan.h"
#include "worker/model/key_value_cache.h"
#include "worker/model/transformer.h"

namespace emend::worker::eval {

// The same on all ranks.
struct StepFailures {
  std::map<StateId, Status> opened;
  std::map<StateId, Status> caches;  // of states that are open
  bool Has(const StateId& state) const { return opened.contains(state) || caches.contains(state); }
};

class StateModels {
 public:
  StateModels(collective::Communicator& ranks, CompletionEngine::FindModel find_model)
      : ranks_(ranks), find_model_(std::move(find_model)) {}

  // Closes, opens and changes caches, all that the ranks agree on. A state that could not be opened
  // is not there, a cache that could not be changed is as it was.
  StepFailures Prepare(const StepPlan& plan);
  // Runs these side by side: what the states share once for all, the rest for each. The logits
  // that the runs want, [tokens, vocabulary] on the CPU; undefined if there are none. REQUIRES:
  // at least one; the states are open, their caches hold the runs.
  Result<at::Tensor> Run(const std::vector<StatePass>& passes);
  void Clear() { states_.clear(); }
  // Of keys and values, on this rank.
  std::int64_t cache_bytes() const;

 private:
  struct Open {
    std::shared_ptr<const model::Transformer> model;
    model::KeyValueCache cache;
  };
  Status OpenState(const StateId& state);

  collective::Communicator& ranks_;
  const CompletionEngine::FindModel find_model_;
  std::map<StateId, Open> states_;
};

}  // namespace emend::worker::eval
