// The tensors of a checkpoint as fp32, by the plan of the model's layout, whole or in part.
//
//   WeightReader reader(checkpoint, model, shard, device);
//   EMEND_ASSIGN_OR_RETURN(at::Tensor mine, reader.Take(model.layout.token_embedding));
//
// The plan has been compared with the file's headers (families::CheckTensors). fp32, bf16 and fp16
// tensors are widened to fp32 (exactly) in memory of their own; the checkpoint may be closed
// afterwards. Where the checkpoint has tile digests (storage/checkpoint/tile_file.h), what is taken
// is checked first, tile by tile: kDataLoss ("base_damaged"). Nothing of the file's header needs a
// check of its own: a tensor is taken by name, with the shape that config.json asks for, and its
// digest covers dtype and shape. Not thread-safe.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>

#include "storage/base/status.h"
#include "storage/checkpoint/safetensors.h"
#include "worker/families/model_layout.h"

namespace emend::worker::model {

class WeightReader {
 public:
  // All must outlive the reader; `shard` says whose part is taken.
  WeightReader(const storage::checkpoint::Checkpoint& checkpoint, const families::ModelPlan& model,
               const families::ShardPlan& shard, at::Device device)
      : checkpoint_(checkpoint), model_(model), shard_(shard), device_(device) {}

  // The rank's part of the tensor, fp32, contiguous, on the reader's device.
  Result<at::Tensor> Take(const families::TensorPlan& tensor);
  // The output head, or its part: `embedding` itself where it is tied, which is the same part. A
  // tied file may still hold a head of its own; it must then have the same values (else
  // kInvalidArgument, slug "untied_head").
  Result<at::Tensor> TakeHead(const at::Tensor& embedding);
  // Of the file, for what was taken so far; tiles that are checked are read whole.
  std::uint64_t bytes_read() const { return bytes_read_; }
  // Of the tensors that were given out, each counted once.
  std::uint64_t bytes_held() const { return bytes_held_; }

 private:
  const storage::checkpoint::Checkpoint& checkpoint_;
  const families::ModelPlan& model_;
  const families::ShardPlan& shard_;
  const at::Device device_;
  std::uint64_t bytes_read_ = 0;
  std::uint64_t bytes_held_ = 0;
};

}  // namespace emend::worker::model
