// What a GGUF file's architecture is in Hugging Face's layout: config.json, and each tensor's name
// and how its values differ.
//
//   EMEND_ASSIGN_OR_RETURN(const GgufPlan plan, PlanGguf(file));
//   plan.config; plan.tensors[0].name;
//
// An architecture is a row of the table in gguf_architectures.h. No weights are read but the
// factors of a rotation. A pure function of the file; not thread-bound.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "coordinator/core/gguf_architectures.h"
#include "storage/base/status.h"
#include "storage/checkpoint/gguf.h"

namespace emend::coordinator::core {

struct GgufTensorPlan {
  std::string name;                                         // in the safetensors file
  const storage::checkpoint::GgufTensor* source = nullptr;  // of the GgufFile
  GgufFix fix = GgufFix::kNone;
  std::uint64_t heads = 0;  // that the rows of a kQueryRows or kKeyRows belong to
};

struct GgufPlan {
  std::string config;  // config.json
  std::vector<GgufTensorPlan> tensors;
};

// kUnsupported ("unknown_architecture" names the known ones; "unsupported_config" by key, also for
// a key that is not known: nothing goes unnoticed), kInvalidArgument ("missing_tensor",
// "surplus_tensor", "misshapen_tensor", "gguf_bad_value").
Result<GgufPlan> PlanGguf(const storage::checkpoint::GgufFile& file);

}  // namespace emend::coordinator::core
