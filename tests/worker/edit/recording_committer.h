// Passes columns on and keeps what is served.
#pragma once

#include <map>
#include <utility>
#include <vector>

#include "worker/edit/quantising_committer.h"

namespace emend::worker::edit {

class RecordingCommitter final : public LayerCommitter {
 public:
  explicit RecordingCommitter(std::map<LayerIndex, std::vector<EditedTensor>> tensors)
      : committer_(std::move(tensors)) {}
  Result<std::vector<storage::delta::EditDelta>> Quantise(const LayerUpdate& update) override {
    return committer_.Quantise(update);
  }
  Result<at::Tensor> Apply(const LayerUpdate& update,
                           const std::vector<storage::delta::EditDelta>& deltas) override {
    EMEND_ASSIGN_OR_RETURN(weights[update.layer], committer_.Apply(update, deltas));
    return weights[update.layer];
  }
  std::map<LayerIndex, at::Tensor> weights;

 private:
  QuantisingCommitter committer_;
};

}  // namespace emend::worker::edit
