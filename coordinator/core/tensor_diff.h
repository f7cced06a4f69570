// How far two sets of served weights are apart.
#pragma once

#include <cstdint>
#include <span>

#include "storage/delta/dtype.h"

namespace emend::coordinator::core {

struct TensorDistance {
  std::uint64_t elements = 0;
  std::uint64_t changed = 0;   // whose bytes differ
  double difference_norm = 0;  // Frobenius norm of after − before
  double weight_norm = 0;      // of before
};

// REQUIRES: an editable dtype, and as many bytes on both sides.
TensorDistance Measure(storage::delta::DType dtype, std::span<const std::uint8_t> before,
                       std::span<const std::uint8_t> after);

}  // namespace emend::coordinator::core
