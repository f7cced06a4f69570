#include "worker/edit/batch_targets.h"

#include <ATen/ATen.h>

#include "worker/edit/product_kernels.h"
#include "worker/edit/prompts.h"
#include "worker/edit/targets.h"
#include "worker/model/guard.h"

namespace emend::worker::edit {
namespace {

Result<Targets> Find(const FindTargetsInput& input) {
  UseProcessorsKernels();
  const families::ModelConfig& config = input.model.config();
  EMEND_RETURN_IF_ERROR(protocol::CheckSettings(input.settings, config.layers));
  if (input.facts.empty())
    return InvalidArgument("finding targets: found no facts, expected at least one");
  EMEND_ASSIGN_OR_RETURN(
      const std::vector<PromptRow> rows,
      EncodeFacts(input.tokenizer, input.facts, input.settings.context_templates, config.context));
  ThreadTeam team(TeamSize(input.model));
  return OptimiseTargets({.model = input.model,
                          .original = input.original,
                          .rows = rows,
                          .fact_count = static_cast<std::int64_t>(input.facts.size()),
                          .settings = input.settings,
                          .memory_bytes_max = input.memory_bytes_max,
                          .team = team,
                          .progress = input.progress});
}

}  // namespace

Result<Targets> FindTargets(const FindTargetsInput& input) {
  return model::Guarded("finding the targets of " + std::to_string(input.facts.size()) + " facts",
                        [&] { return Find(input); });
}

}  // namespace emend::worker::edit
