// The tensors of a checkpoint as fp32, each taken once, by name and expected shape, whole or in
// part; what is left over at the end is refused.
//
//   WeightReader reader(checkpoint);
//   EMEND_ASSIGN_OR_RETURN(at::Tensor embedding, reader.Take("transformer.wte.weight", {8192,
//       256}));
//   EMEND_ASSIGN_OR_RETURN(at::Tensor mine, reader.Take("transformer.wte.weight", {8192, 256},
//       Rows({2048, 2048})));
//   EMEND_RETURN_IF_ERROR(reader.RefuseUntaken(IsHarmlessBuffer));
//
// fp32, bf16 and fp16 tensors are widened to fp32 (exactly) in memory of their own; the checkpoint
// may be closed afterwards. Where the checkpoint has tile digests (storage/checkpoint/tile_file.h),
// what is taken is checked first, tile by tile: kDataLoss ("base_damaged"). Nothing of the file's
// header needs a check of its own: a tensor is taken by name, with the shape that config.json asks
// for, and its digest covers dtype and shape. Not thread-safe. Other failures are kInvalidArgument
// with the slugs "missing_tensor", "misshapen_tensor", "surplus_tensor", or kUnsupported
// ("unsupported_dtype").
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <functional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "storage/base/status.h"
#include "storage/checkpoint/safetensors.h"
#include "worker/model/shard_plan.h"

namespace emend::worker::model {

// The part of a tensor that is taken: these slices of one dimension, side by side.
struct Cut {
  int dimension = 0;
  std::vector<Slice> slices;  // empty: the whole tensor
};
inline Cut Rows(Slice slice) { return {0, {slice}}; }
inline Cut Columns(Slice slice) { return {1, {slice}}; }

class WeightReader {
 public:
  // `checkpoint` must outlive the reader.
  explicit WeightReader(const storage::checkpoint::Checkpoint& checkpoint,
                        at::Device device = at::kCPU)
      : checkpoint_(checkpoint), device_(device) {}

  bool Has(std::string_view name) const;
  // The tensor called `name`, or its part, fp32, contiguous, on the reader's device. `shape` is the
  // whole tensor's, of one or two dimensions.
  Result<at::Tensor> Take(const std::string& name, const std::vector<std::int64_t>& shape,
                          const Cut& cut = {});
  // The output head, [vocabulary, d], or its part: `embedding` itself when tied, which is the same
  // part. A tied file may still hold a head of its own; it must then have the same values (else
  // kInvalidArgument, slug "untied_head").
  Result<at::Tensor> TakeHead(const std::string& name, const std::vector<std::int64_t>& shape,
                              const Cut& cut, const at::Tensor& embedding, bool tied);
  // Names every tensor that was not taken and that `harmless` does not accept.
  Status RefuseUntaken(const std::function<bool(std::string_view)>& harmless) const;
  // Of the file, for what was taken so far; tiles that are checked are read whole.
  std::uint64_t bytes_read() const { return bytes_read_; }
  // Of the tensors that were given out, each counted once.
  std::uint64_t bytes_held() const { return bytes_held_; }

 private:
  const storage::checkpoint::Checkpoint& checkpoint_;
  const at::Device device_;
  std::set<std::string> taken_;
  std::uint64_t bytes_read_ = 0;
  std::uint64_t bytes_held_ = 0;
};

}  // namespace emend::worker::model
