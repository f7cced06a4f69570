// The served value of one weight: W0 + G·D rounded once to the tensor's own type, in integer
// arithmetic alone.
//
//   // difference: the ledger's D, in units of G = 2^-48
//   RoundedElement served = RoundElement(DType::kBF16, base_bits, difference);
//   // the base was NaN or infinite, or the sum overflows the type
//   if (!served.finite) { ... }
//
// D = 0 gives the base's bits unchanged, so that -0.0 survives. Otherwise the exact real sum is
// rounded to nearest, ties to even, subnormals included; a sum of exactly zero is +0.0, and a sum
// that underflows keeps its sign. Bases that are no multiple of G count in full: where both do not
// fit one integer, the smaller one is a sticky bit. Going through fp32 or fp64 instead would round
// twice.
//
// These are the definition; every other back end must give the same bits
// (tests/golden/rounding-vectors.txt). Thread-safe: pure functions.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "storage/delta/dtype.h"

namespace emend::storage::delta {

struct RoundedElement {
  std::uint32_t bits = 0;  // of the dtype, in the low bits; infinity if the sum overflows
  bool finite = true;      // false if the base is NaN or infinite, or the served value is infinite

  friend bool operator==(const RoundedElement&, const RoundedElement&) = default;
};

// REQUIRES: IsEditable(dtype).
RoundedElement RoundElement(DType dtype, std::uint32_t base_bits, std::int64_t difference);

// RoundElement over arrays of little-endian elements; `base` and `served` may be the same memory.
// Returns the index of the first element that is not finite (later ones are then unspecified), else
// differences.size(). REQUIRES: IsEditable(dtype); base and served hold as many elements as
// `differences`.
std::size_t RoundElements(DType dtype, std::span<const std::uint8_t> base,
                          std::span<const std::int64_t> differences,
                          std::span<std::uint8_t> served);

}  // namespace emend::storage::delta
