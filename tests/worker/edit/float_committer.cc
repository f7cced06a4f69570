#include "tests/worker/edit/float_committer.h"

#include <ATen/ATen.h>

#include <string>

#include "worker/model/guard.h"

namespace emend::worker::edit {

Result<at::Tensor> FloatCommitter::Apply(const LayerUpdate& update,
                                         const std::vector<storage::delta::EditDelta>&) {
  if (model_.shard().ranks > 1)
    return Unsupported("adding an update in fp32 over several ranks: it is made on one");
  return model::Guarded("adding the update of layer " + std::to_string(update.layer.value()),
                        [&]() -> Result<at::Tensor> {
                          const at::NoGradGuard no_grad;
                          const at::Tensor delta =
                              update.adjusted_keys.matmul(update.residuals.t()).to(at::kFloat);
                          return model_.DownWeight(update.layer).cpu() + delta;
                        });
}

}  // namespace emend::worker::edit
