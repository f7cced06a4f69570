// Loads models and goldens of the repo, and runs whole forward passes.
#pragma once

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <cstring>
#include <memory>
#include <string>
#include <vector>

#include "storage/checkpoint/safetensors.h"
#include "tests/support/status_matchers.h"
#include "worker/collective/communicator.h"
#include "worker/model/transformer.h"

namespace emend::test {

inline const std::string kNanoSort = "tests/golden/gpt-nano-sort";
inline const std::string kStories = "tests/golden/stories260K";

// A model with the communicator it borrows.
struct LoadedModel {
  std::unique_ptr<worker::collective::Communicator> communicator =
      worker::collective::NewSingleRankCommunicator();
  std::unique_ptr<worker::model::Transformer> model;
  const worker::model::Transformer& operator*() const { return *model; }
};

inline Result<LoadedModel> TryLoad(const std::string& folder) {
  EMEND_ASSIGN_OR_RETURN(const auto checkpoint, storage::checkpoint::Checkpoint::Open(folder));
  LoadedModel loaded;
  EMEND_ASSIGN_OR_RETURN(loaded.model,
                         worker::model::Transformer::Load(*checkpoint, *loaded.communicator));
  return loaded;
}

inline LoadedModel Load(const std::string& folder) {
  auto loaded = TryLoad(folder);
  EMEND_CHECK(loaded.ok(), loaded.status().ToString());
  return std::move(*loaded);
}

// fp32 or int64 tensors of a checkpoint folder.
inline at::Tensor GoldenTensor(const std::string& folder, const std::string& name) {
  auto checkpoint = storage::checkpoint::Checkpoint::Open(folder);
  EMEND_CHECK(checkpoint.ok(), checkpoint.status().ToString());
  auto view = (*checkpoint)->Find(name);
  EMEND_CHECK(view.ok(), view.status().ToString());
  const std::vector<std::int64_t> shape(view->shape.begin(), view->shape.end());
  at::Tensor tensor =
      at::empty(shape, view->dtype == storage::delta::DType::kI64 ? at::kLong : at::kFloat);
  std::memcpy(tensor.data_ptr(), view->bytes.data(), view->bytes.size());
  return tensor;
}

inline at::Tensor Positions(const at::Tensor& ids) {
  return at::arange(ids.size(1), at::kLong).expand(ids.sizes());
}

// Logits [batch, tokens, vocabulary] of `ids`; `mask` as in BlockInput.
inline at::Tensor Forward(const worker::model::Transformer& model, const at::Tensor& ids,
                          const at::Tensor& positions, const at::Tensor& mask = {}) {
  at::Tensor hidden = model.Embed(ids, positions);
  for (std::int32_t layer = 0; layer < model.config().layers; ++layer) {
    hidden = model.Finish(
        LayerIndex(layer),
        model.Attend(LayerIndex(layer), {.hidden = hidden, .positions = positions, .mask = mask}));
  }
  return model.Logits(model.FinalNorm(hidden));
}
inline at::Tensor Forward(const worker::model::Transformer& model, const at::Tensor& ids) {
  return Forward(model, ids, Positions(ids));
}

inline double LargestDifference(const at::Tensor& a, const at::Tensor& b) {
  return at::max(at::abs(at::sub(a, b))).item<double>();
}

}  // namespace emend::test
