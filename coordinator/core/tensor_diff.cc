#include "coordinator/core/tensor_diff.h"

#include <bit>
#include <cmath>
#include <cstring>

#include "storage/base/check.h"

namespace emend::coordinator::core {
namespace {

using storage::delta::DType;

double FromHalf(std::uint16_t bits) {
  const int exponent = (bits >> 10) & 0x1f;
  const int fraction = bits & 0x3ff;
  const double magnitude =
      exponent == 0 ? std::ldexp(fraction, -24) : std::ldexp(fraction + 1024, exponent - 25);
  return (bits & 0x8000) != 0 ? -magnitude : magnitude;
}

double ReadElement(DType dtype, const std::uint8_t* bytes) {
  if (dtype == DType::kF32) {
    float value = 0;
    std::memcpy(&value, bytes, sizeof value);
    return value;
  }
  std::uint16_t bits = 0;
  std::memcpy(&bits, bytes, sizeof bits);
  return dtype == DType::kF16
             ? FromHalf(bits)
             : static_cast<double>(std::bit_cast<float>(static_cast<std::uint32_t>(bits) << 16));
}

}  // namespace

TensorDistance Measure(DType dtype, std::span<const std::uint8_t> before,
                       std::span<const std::uint8_t> after) {
  EMEND_CHECK(storage::delta::IsEditable(dtype) && before.size() == after.size(),
              "tensors of different sizes or of a type that is never edited were compared");
  const std::size_t width = storage::delta::ElementBytes(dtype);
  TensorDistance distance;
  distance.elements = before.size() / width;
  double difference_squared = 0;
  double weight_squared = 0;
  for (std::size_t at = 0; at < before.size(); at += width) {
    const double old_value = ReadElement(dtype, &before[at]);
    weight_squared += old_value * old_value;
    if (std::memcmp(&before[at], &after[at], width) == 0) continue;
    const double difference = ReadElement(dtype, &after[at]) - old_value;
    difference_squared += difference * difference;
    ++distance.changed;
  }
  distance.difference_norm = std::sqrt(difference_squared);
  distance.weight_norm = std::sqrt(weight_squared);
  return distance;
}

}  // namespace emend::coordinator::core
