// The activation functions of the feed-forward part, by the names that config.json uses.
#pragma once

#include <ATen/core/Tensor.h>

#include <string>

#include "storage/base/status.h"

namespace emend::worker::model {

enum class Activation { kGelu, kGeluTanh, kSilu, kRelu };

// "gelu_new", "gelu_pytorch_tanh" and "gelu_fast" are one function. kUnsupported names the value
// and the known ones.
Result<Activation> ActivationFromName(const std::string& name);
// "gelu", "gelu_tanh", "silu", "relu".
std::string ActivationName(Activation activation);
// Element by element; any shape, fp32.
at::Tensor Activate(Activation activation, const at::Tensor& input);

}  // namespace emend::worker::model
