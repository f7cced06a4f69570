#include "worker/collective/tensor_call.h"

#include <ATen/ATen.h>

#include <string>

namespace emend::worker::collective {
namespace {

// On the wire, too.
std::uint16_t TypeNumber(at::ScalarType type) {
  switch (type) {
    case at::kFloat: return 1;
    case at::kDouble: return 2;
    case at::kLong: return 3;
    default: return 0;
  }
}

}  // namespace

Result<LineCall> CallOf(const at::Tensor& tensor, Operation operation, const char* name) {
  const std::uint16_t type = TypeNumber(tensor.scalar_type());
  if (type == 0)
    return InvalidArgument(std::string(name) + ": found a tensor of type " +
                           at::toString(tensor.scalar_type()) + ", expected fp32, fp64 or int64");
  return LineCall{.name = name,
                  .operation = static_cast<std::uint16_t>(operation),
                  .type = type,
                  .elements = static_cast<std::uint64_t>(tensor.numel()),
                  .element_bytes = static_cast<std::uint64_t>(tensor.element_size()),
                  .root = -1};
}

Status CheckRoot(int root, int ranks) {
  if (root >= 0 && root < ranks) return OkStatus();
  return InvalidArgument("broadcast over " + std::to_string(ranks) + " ranks: found root " +
                         std::to_string(root));
}

Status CheckScatter(const at::Tensor& tensor, int ranks) {
  if (tensor.dim() > 0 && tensor.size(0) % ranks == 0) return OkStatus();
  return InvalidArgument("reduce-scatter over " + std::to_string(ranks) +
                         " ranks: the tensor's first dimension does not divide by them");
}

std::vector<std::int64_t> GatheredSizes(const at::Tensor& tensor, int ranks) {
  std::vector<std::int64_t> sizes = tensor.sizes().vec();
  sizes.insert(sizes.begin(), ranks);
  return sizes;
}

std::vector<std::int64_t> ScatteredSizes(const at::Tensor& tensor, int ranks) {
  std::vector<std::int64_t> sizes = tensor.sizes().vec();
  sizes[0] /= ranks;
  return sizes;
}

}  // namespace emend::worker::collective
