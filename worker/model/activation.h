// The activation functions of the feed-forward part.
#pragma once

#include <ATen/core/Tensor.h>

#include "worker/families/model_config.h"

namespace emend::worker::model {

// Element by element; any shape, fp32.
at::Tensor Activate(families::Activation activation, const at::Tensor& input);

}  // namespace emend::worker::model
