#include "worker/model/activation.h"

#include <ATen/ATen.h>

#include "storage/base/status.h"

namespace emend::worker::model {

using families::Activation;

at::Tensor Activate(Activation activation, const at::Tensor& input) {
  switch (activation) {
    case Activation::kGelu: return at::gelu(input);
    case Activation::kGeluTanh: return at::gelu(input, "tanh");
    case Activation::kSilu: return at::silu(input);
    case Activation::kRelu: return at::relu(input);
  }
  EMEND_CHECK(false, "an activation outside its enumeration");
}

}  // namespace emend::worker::model
