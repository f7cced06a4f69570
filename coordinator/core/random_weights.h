// Weights that say nothing, drawn from a normal distribution: bytes of a tensor as a safetensors
// file holds them.
//
//   const NormalQuantiles quantiles(DType::kBF16, 0.02);
//   RandomStream stream(quantiles, seed, "model.embed_tokens.weight");
//   stream.Fill(bytes);  // the next elements, as many as there is room for
//
// An element is the quantile of one of 65536 equal parts, which 16 bits of a counter's hash choose:
// seed, name and place alone say what it is, on every machine and in every order.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "storage/delta/dtype.h"

namespace emend::coordinator::core {

// The middles of 65536 equally likely parts of normal(0, deviation), ascending, rounded once to the
// dtype. REQUIRES: IsEditable(dtype), 0 < deviation <= kDeviationMax. Immutable.
class NormalQuantiles {
 public:
  static constexpr double kDeviationMax = 1000;

  NormalQuantiles(storage::delta::DType dtype, double deviation);
  std::size_t element_bytes() const { return element_bytes_; }
  // Bits of the dtype.
  std::uint32_t operator[](std::uint16_t part) const { return bits_[part]; }

 private:
  const std::size_t element_bytes_;
  std::vector<std::uint32_t> bits_;
};

class RandomStream {
 public:
  // `quantiles` must outlive it.
  RandomStream(const NormalQuantiles& quantiles, std::uint64_t seed, const std::string& name);
  // REQUIRES: a multiple of four elements, but for the last call.
  void Fill(std::span<std::uint8_t> bytes);

 private:
  const NormalQuantiles& quantiles_;
  std::uint64_t state_ = 0;
};

}  // namespace emend::coordinator::core
