#include "worker/model/activation.h"

#include <ATen/ATen.h>

#include <map>

namespace emend::worker::model {

Result<Activation> ActivationFromName(const std::string& name) {
  static const std::map<std::string, Activation> kKnown = {
      {"gelu", Activation::kGelu},
      {"gelu_new", Activation::kGeluTanh},
      {"gelu_pytorch_tanh", Activation::kGeluTanh},
      {"gelu_fast", Activation::kGeluTanh},
      {"silu", Activation::kSilu},
      {"swish", Activation::kSilu},
      {"relu", Activation::kRelu}};
  const auto found = kKnown.find(name);
  if (found != kKnown.end()) return found->second;
  std::string known;
  for (const auto& [key, value] : kKnown) known += (known.empty() ? "" : ", ") + key;
  return Status(StatusCode::kUnsupported, "unsupported_config",
                "unknown activation function \"" + name + "\", expected one of " + known);
}

std::string ActivationName(Activation activation) {
  switch (activation) {
    case Activation::kGelu: return "gelu";
    case Activation::kGeluTanh: return "gelu_tanh";
    case Activation::kSilu: return "silu";
    case Activation::kRelu: return "relu";
  }
  EMEND_CHECK(false, "an activation outside its enumeration");
}

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
