// FloatCommitter: the paper's own arithmetic, W + adj·Rᵀ in fp32 and nothing rounded. For comparing
// with the published code; what it makes cannot be committed.
#pragma once

#include "worker/edit/committer.h"
#include "worker/model/transformer.h"

namespace emend::worker::edit {

class FloatCommitter final : public LayerCommitter {
 public:
  // `model` gives the weights before the batch; it must outlive the committer.
  explicit FloatCommitter(const model::Transformer& model) : model_(model) {}
  Result<std::vector<storage::delta::EditDelta>> Quantise(const LayerUpdate&) override {
    return std::vector<storage::delta::EditDelta>();
  }
  // kUnsupported on several ranks: what it adds is not passed between them.
  Result<at::Tensor> Apply(const LayerUpdate& update,
                           const std::vector<storage::delta::EditDelta>& deltas) override;

 private:
  const model::Transformer& model_;
};

}  // namespace emend::worker::edit
