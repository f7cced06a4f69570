// A GGUF file's tensor as a safetensors file is to hold it.
//
//   StreamSafetensors(path, std::array{ConvertedTensor(plan.tensors[0])}, {});
//
// F32 and F16 stay, every other type becomes BF16, to nearest; what is stored plus one becomes F32.
// A tensor is made when it is asked for, and borrows the GgufFile until then. A pure function.
#pragma once

#include "coordinator/core/gguf_plan.h"
#include "storage/checkpoint/safetensors.h"

namespace emend::coordinator::core {

storage::checkpoint::TensorSource ConvertedTensor(const GgufTensorPlan& plan);

}  // namespace emend::coordinator::core
