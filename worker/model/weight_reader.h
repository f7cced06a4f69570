// The tensors of a checkpoint as fp32, each taken once, by name and expected shape; what is left over at the end is refused.
//
//   WeightReader reader(checkpoint);
//   EMEND_ASSIGN_OR_RETURN(at::Tensor embedding, reader.Take("transformer.wte.weight", {8192, 256}));
//   EMEND_RETURN_IF_ERROR(reader.RefuseUntaken(IsHarmlessBuffer));
//
// fp32, bf16 and fp16 tensors are widened to fp32 (exactly) in memory of their own; the checkpoint may be closed afterwards.
// Not thread-safe. Failures are kInvalidArgument with the slugs "missing_tensor", "misshapen_tensor", "surplus_tensor", or kUnsupported ("unsupported_dtype").
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

namespace emend::worker::model {

class WeightReader {
 public:
  // `checkpoint` must outlive the reader.
  explicit WeightReader(const storage::checkpoint::Checkpoint& checkpoint) : checkpoint_(checkpoint) {}

  bool Has(std::string_view name) const;
  // The tensor called `name`, fp32, contiguous, on the CPU.
  Result<at::Tensor> Take(const std::string& name, const std::vector<std::int64_t>& shape);
  // The output head, [vocabulary, d]: `embedding` itself when tied. A tied file may still hold a head of its own; it must then have the same values
  // (else kInvalidArgument, slug "untied_head").
  Result<at::Tensor> TakeHead(const std::string& name, const at::Tensor& embedding, bool tied);
  // Names every tensor that was not taken and that `harmless` does not accept.
  Status RefuseUntaken(const std::function<bool(std::string_view)>& harmless) const;

 private:
  const storage::checkpoint::Checkpoint& checkpoint_;
  std::set<std::string> taken_;
};

}  // namespace emend::worker::model
