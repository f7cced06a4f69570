#include "storage/delta/rounding.h"

#include <algorithm>
#include <bit>
#include <cstring>

#include "storage/delta/column.h"

namespace emend::storage::delta {
namespace {

__extension__ using Uint128 = unsigned __int128;
__extension__ using Int128 = __int128;

// A binary floating-point type: a finite magnitude is m · 2^q with m < 2^kPrecision and q >=
// kQuantumMin, and its bits are ((q - kQuantumMin) << (kPrecision-1)) + m.
template <typename BitsType, int precision, int quantum_min>
struct Format {
  using Bits = BitsType;
  static constexpr int kPrecision = precision;
  static constexpr int kQuantumMin = quantum_min;
  static constexpr std::uint32_t kSign = 1U << (8 * sizeof(Bits) - 1);
  static constexpr std::uint32_t kImplicitBit = 1U << (precision - 1);
  static constexpr std::uint32_t kInfinity = kSign - kImplicitBit;
};
using BFloat16 = Format<std::uint16_t, 8, -133>;
using Half = Format<std::uint16_t, 11, -24>;
using Single = Format<std::uint32_t, 24, -149>;

int BitWidth(std::uint64_t value) { return static_cast<int>(std::bit_width(value)); }
int BitWidth(Uint128 value) {
  const auto high = static_cast<std::uint64_t>(value >> 64);
  return high != 0 ? 64 + BitWidth(high) : BitWidth(static_cast<std::uint64_t>(value));
}

// `magnitude` · 2^unit, rounded to nearest even. The carry out of the significand steps into the
// exponent by itself, up to infinity. REQUIRES: 0 < magnitude < half the type's range, so that the
// rounding carry fits.
template <typename F, typename Unsigned>
std::uint32_t RoundMagnitude(Unsigned magnitude, int unit) {
  const int quantum = std::max(BitWidth(magnitude) + unit - F::kPrecision, F::kQuantumMin);
  const int drop = quantum - unit;
  std::uint64_t significand = 0;
  if (drop <= 0) {
    significand = static_cast<std::uint64_t>(magnitude) << -drop;
  } else {
    // Adds half a unit of the result, less one while the kept part is even: ties go to even,
    // without a branch that no processor could predict.
    const Unsigned just_below_half = (Unsigned{1} << (drop - 1)) - 1;
    significand = static_cast<std::uint64_t>(
        (magnitude + just_below_half + ((magnitude >> drop) & 1U)) >> drop);
  }
  const std::uint64_t bits =
      (static_cast<std::uint64_t>(quantum - F::kQuantumMin) << (F::kPrecision - 1)) + significand;
  return static_cast<std::uint32_t>(std::min<std::uint64_t>(bits, F::kInfinity));
}

template <typename F, typename Signed, typename Unsigned>
std::uint32_t RoundSum(Signed sum, int unit) {
  if (sum == 0) return 0;
  const Signed mask = sum >> (8 * static_cast<int>(sizeof(Signed)) - 1);  // all ones if negative
  const auto magnitude = static_cast<Unsigned>((sum ^ mask) - mask);
  return (static_cast<std::uint32_t>(mask) & F::kSign) | RoundMagnitude<F>(magnitude, unit);
}

// Bases so far from the grid that base and difference share no 64-bit integer.
template <typename F>
std::uint32_t RoundWide(std::int64_t significand, int quantum, std::int64_t difference,
                        std::uint32_t base_bits) {
  // 123 bits hold a difference (63) or a significand (24) moved up by this much, and 127 hold their
  // sum.
  constexpr int kMoveMax = 60;
  const int above_grid = quantum - kGridExponent;
  // |G·D| < 2^15, and half a step of the base is at least 2^51
  if (above_grid > 100) return base_bits;
  if (above_grid >= 0) {
    return RoundSum<F, Int128, Uint128>((Int128{significand} << above_grid) + difference,
                                        kGridExponent);
  }
  if (-above_grid <= kMoveMax) {
    return RoundSum<F, Int128, Uint128>(significand + (Int128{difference} << -above_grid), quantum);
  }
  // |base| < 2^-84 lies far below the last bit that can matter to G·D: only its side of G·D counts.
  const int sticky = significand > 0 ? 1 : (significand < 0 ? -1 : 0);
  return RoundSum<F, Int128, Uint128>((Int128{difference} << kMoveMax) + sticky,
                                      kGridExponent - kMoveMax);
}

template <typename F>
std::uint32_t Round(std::uint32_t base_bits, std::int64_t difference) {
  if (difference == 0) return base_bits;
  const std::uint32_t magnitude_bits = base_bits & ~F::kSign;
  const std::uint32_t exponent_field = magnitude_bits >> (F::kPrecision - 1);
  const std::uint32_t fraction = magnitude_bits & (F::kImplicitBit - 1);
  const int quantum =
      F::kQuantumMin + (exponent_field > 0 ? static_cast<int>(exponent_field) - 1 : 0);
  const std::int64_t significand_magnitude =
      exponent_field > 0 ? fraction | F::kImplicitBit : fraction;
  const std::int64_t significand =
      (base_bits & F::kSign) != 0 ? -significand_magnitude : significand_magnitude;

  constexpr std::int64_t kNarrowMax = std::int64_t{1} << 62;
  const bool narrow_difference = difference > -kNarrowMax && difference < kNarrowMax;
  const int above_grid = quantum - kGridExponent;
  if (narrow_difference && significand == 0)
    return RoundSum<F, std::int64_t, std::uint64_t>(difference, kGridExponent);
  if (narrow_difference && above_grid >= 0 && above_grid <= 62 - F::kPrecision) {
    return RoundSum<F, std::int64_t, std::uint64_t>((significand << above_grid) + difference,
                                                    kGridExponent);
  }
  return RoundWide<F>(significand, quantum, difference, base_bits);
}

template <typename F>
bool IsFinite(std::uint32_t bits) {
  return (bits & F::kInfinity) != F::kInfinity;
}

template <typename F>
RoundedElement RoundOne(std::uint32_t base_bits, std::int64_t difference) {
  if (!IsFinite<F>(base_bits)) return {base_bits, false};
  const std::uint32_t bits = Round<F>(base_bits, difference);
  return {bits, IsFinite<F>(bits)};
}

template <typename F>
std::size_t RoundMany(std::span<const std::uint8_t> base, std::span<const std::int64_t> differences,
                      std::span<std::uint8_t> served) {
  using Bits = typename F::Bits;
  EMEND_CHECK(base.size() == differences.size() * sizeof(Bits) && served.size() == base.size(),
              "base, ledger and served weights differ in size");
  for (std::size_t i = 0; i < differences.size(); ++i) {
    Bits bits = 0;
    std::memcpy(&bits, base.data() + i * sizeof(Bits), sizeof(Bits));
    const RoundedElement element = RoundOne<F>(bits, differences[i]);
    if (!element.finite) return i;
    bits = static_cast<Bits>(element.bits);
    std::memcpy(served.data() + i * sizeof(Bits), &bits, sizeof(Bits));
  }
  return differences.size();
}

static_assert(std::endian::native == std::endian::little,
              "checkpoints are little-endian and are read in place");

}  // namespace

RoundedElement RoundElement(DType dtype, std::uint32_t base_bits, std::int64_t difference) {
  EMEND_CHECK(IsEditable(dtype),
              "a weight of type " + std::string(DTypeName(dtype)) + " was rounded");
  switch (dtype) {
    case DType::kBF16: return RoundOne<BFloat16>(base_bits & 0xffffU, difference);
    case DType::kF16: return RoundOne<Half>(base_bits & 0xffffU, difference);
    default: return RoundOne<Single>(base_bits, difference);
  }
}

std::size_t RoundElements(DType dtype, std::span<const std::uint8_t> base,
                          std::span<const std::int64_t> differences,
                          std::span<std::uint8_t> served) {
  EMEND_CHECK(IsEditable(dtype),
              "weights of type " + std::string(DTypeName(dtype)) + " were rounded");
  switch (dtype) {
    case DType::kBF16: return RoundMany<BFloat16>(base, differences, served);
    case DType::kF16: return RoundMany<Half>(base, differences, served);
    default: return RoundMany<Single>(base, differences, served);
  }
}

}  // namespace emend::storage::delta
