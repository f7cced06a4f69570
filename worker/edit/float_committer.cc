#include "worker/edit/float_committer.h"

#include <ATen/ATen.h>

#include <string>

#include "worker/model/guard.h"

namespace emend::worker::edit {

Result<CommittedLayer> FloatCommitter::Commit(const LayerUpdate& update) {
  return model::Guarded("adding the update of layer " + std::to_string(update.layer.value()), [&]() -> Result<CommittedLayer> {
    const at::NoGradGuard no_grad;
    const at::Tensor delta = update.adjusted_keys.matmul(update.residuals.t()).to(at::kFloat);
    return CommittedLayer{.weight = model_.DownWeight(update.layer).cpu() + delta, .deltas = {}};
  });
}

}  // namespace emend::worker::edit
