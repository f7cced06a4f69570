#include "coordinator/core/random_weights.h"

#include <cmath>
#include <numbers>

#include "storage/base/digest.h"
#include "storage/delta/rounding.h"

namespace emend::coordinator::core {
namespace {

constexpr std::size_t kParts = 65536;
constexpr int kPartsPerWord = 4;

// x with a normal variable below it so often, for chances up to one half.
double LowerQuantile(double chance) {
  double low = -10, high = 0;
  for (int step = 0; step < 64; ++step) {
    const double middle = (low + high) / 2;
    (std::erfc(-middle / std::numbers::sqrt2) / 2 < chance ? low : high) = middle;
  }
  return high;
}

// SplitMix64 (Steele et al. 2014): the next of a sequence in which no word of 64 bits comes twice.
std::uint64_t NextWord(std::uint64_t& state) {
  state += 0x9E3779B97F4A7C15;
  std::uint64_t word = state;
  word = (word ^ (word >> 30)) * 0xBF58476D1CE4E5B9;
  word = (word ^ (word >> 27)) * 0x94D049BB133111EB;
  return word ^ (word >> 31);
}

}  // namespace

NormalQuantiles::NormalQuantiles(storage::delta::DType dtype, double deviation)
    : element_bytes_(storage::delta::ElementBytes(dtype)), bits_(kParts) {
  for (std::size_t i = 0; i < kParts / 2; ++i) {
    const double value = LowerQuantile((static_cast<double>(i) + 0.5) / kParts) * deviation;
    // in steps of 2^-48 onto a base of 0
    const auto steps = static_cast<std::int64_t>(std::nearbyint(std::ldexp(value, 48)));
    bits_[i] = storage::delta::RoundElement(dtype, 0, steps).bits;
    bits_[kParts - 1 - i] = storage::delta::RoundElement(dtype, 0, -steps).bits;
  }
}

RandomStream::RandomStream(const NormalQuantiles& quantiles, std::uint64_t seed,
                           const std::string& name)
    : quantiles_(quantiles) {
  const Digest digest = Sha256("emend synth " + std::to_string(seed) + " " + name);
  for (std::size_t i = 0; i < sizeof(state_); ++i)
    state_ |= std::uint64_t{digest.bytes[i]} << (8 * i);
}

void RandomStream::Fill(std::span<std::uint8_t> bytes) {
  const std::size_t width = quantiles_.element_bytes();
  std::uint64_t word = 0;
  int left = 0;
  for (std::size_t at = 0; at + width <= bytes.size(); at += width, --left, word >>= 16) {
    if (left == 0) {
      word = NextWord(state_);
      left = kPartsPerWord;
    }
    const std::uint32_t bits = quantiles_[static_cast<std::uint16_t>(word)];
    for (std::size_t k = 0; k < width; ++k)
      bytes[at + k] = static_cast<std::uint8_t>(bits >> (8 * k));
  }
}

}  // namespace emend::coordinator::core
