#include "worker/eval/state_models.h"

#include <ATen/ATen.h>
#include <c10/core/GradMode.h>

#include <string>
#include <vector>

#include "worker/collective/exchange.h"
#include "worker/eval/decoding.h"
#include "worker/model/guard.h"

namespace emend::worker::eval {

StepFailures StateModels::Prepare(const StepPlan& plan) {
  StepFailures failures;
  for (const StateId& state : plan.closed) states_.erase(state);
  for (const StateId& state : plan.opened) {
    const Status opened = collective::AgreeOn(ranks_, OpenState(state));
    if (opened.ok()) continue;
    states_.erase(state);
    failures.opened.emplace(state, opened);
  }
  for (const auto& [state, size] : plan.caches) {
    if (failures.opened.contains(state)) continue;
    const std::string what = "making room for " + std::to_string(size.slots) + " texts of " + std::to_string(size.capacity) + " tokens";
    const Status own = model::Guarded(what, [&] { return states_.at(state).cache.Resize(size), OkStatus(); });
    if (const Status changed = collective::AgreeOn(ranks_, own); !changed.ok()) failures.caches.emplace(state, changed);
  }
  return failures;
}

Status StateModels::OpenState(const StateId& state) {
  return model::Guarded("completing on the state " + state.Short(), [&]() -> Status {
    EMEND_ASSIGN_OR_RETURN(std::shared_ptr<const model::Transformer> found, find_model_(state));
    model::KeyValueCache cache(*found);
    states_.insert_or_assign(state, Open{std::move(found), std::move(cache)});
    return OkStatus();
  });
}

Result<at::Tensor> StateModels::Run(const StatePass& pass) {
  const std::string what = "completing " + std::to_string(pass.runs.size()) + " texts on the state " + pass.state.Short();
  return model::Guarded(what, [&]() -> Result<at::Tensor> {
    const c10::AutoGradMode no_grad(false);
    const Open& state = states_.at(pass.state);
    std::vector<model::CacheRun> runs;
    std::vector<std::int64_t> last;  // tokens behind which one is drawn
    std::int64_t end = 0;
    for (const PlannedRun& run : pass.runs) {
      runs.push_back(run.place);
      end += run.place.tokens;
      if (run.draws) last.push_back(end - 1);
    }
    const model::CachedBatch batch(state.cache, runs);
    const at::Tensor hidden = RunBlocks(*state.model, batch, RowOf(pass.tokens));
    if (last.empty()) return at::Tensor();
    const at::Tensor asked = hidden[0].index_select(0, at::tensor(last, at::kLong).to(hidden.device()));
    return state.model->Logits(state.model->FinalNorm(asked)).cpu().contiguous();
  });
}

}  // namespace emend::worker::eval
