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
    const std::string what = "making room for " + std::to_string(size.slots) + " texts of " +
                             std::to_string(size.capacity) + " tokens";
    const Status own =
        model::Guarded(what, [&] { return states_.at(state).cache.Resize(size), OkStatus(); });
    if (const Status changed = collective::AgreeOn(ranks_, own); !changed.ok())
      failures.caches.emplace(state, changed);
  }
  return failures;
}

std::int64_t StateModels::cache_bytes() const {
  std::int64_t bytes = 0;
  for (const auto& [state, open] : states_)
    bytes += model::KeyValueCache::Bytes(open.cache.size(),
                                         model::KeyValueCache::TokenBytes(*open.model));
  return bytes;
}

Status StateModels::OpenState(const StateId& state) {
  return model::Guarded("completing on the state " + state.Short(), [&]() -> Status {
    EMEND_ASSIGN_OR_RETURN(std::shared_ptr<const model::Transformer> found, find_model_(state));
    model::KeyValueCache cache(*found);
    states_.insert_or_assign(state, Open{std::move(found), std::move(cache)});
    return OkStatus();
  });
}

Result<at::Tensor> StateModels::Run(const std::vector<StatePass>& passes) {
  return model::Guarded(
      "completing texts of " + std::to_string(passes.size()) + " states",
      [&]() -> Result<at::Tensor> {
        const c10::AutoGradMode no_grad(false);
        std::vector<PassPart> parts;
        std::vector<model::CachedRuns> caches;
        std::vector<tokenizer::TokenId> tokens;
        std::vector<std::int64_t> wanted;  // tokens behind which the logits are
        for (const StatePass& pass : passes) {
          const Open& state = states_.at(pass.state);
          parts.push_back({.model = state.model.get(),
                           .tokens = static_cast<std::int64_t>(pass.tokens.size())});
          model::CachedRuns& cached =
              caches.emplace_back(model::CachedRuns{.cache = &state.cache, .runs = {}});
          auto end = static_cast<std::int64_t>(tokens.size());
          for (const PlannedRun& run : pass.runs) {
            cached.runs.push_back(run.place);
            end += run.place.tokens;
            for (std::int64_t back = run.logits; back > 0; --back) wanted.push_back(end - back);
          }
          tokens.insert(tokens.end(), pass.tokens.begin(), pass.tokens.end());
        }
        const model::CachedBatch batch(caches);
        const at::Tensor hidden = RunBlocks(parts, batch, RowOf(tokens));
        if (wanted.empty()) return at::Tensor();
        const model::Transformer& any = *parts[0].model;
        return any
            .Logits(any.FinalNorm(
                hidden[0].index_select(0, at::tensor(wanted, at::kLong).to(hidden.device()))))
            .cpu()
            .contiguous();
      });
}

}  // namespace emend::worker::eval
