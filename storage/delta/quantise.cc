// QuantiseOuterProduct: u·vᵀ ≈ (α·a)(β·b)ᵀ with α·β = 2^(shift-48), so that the product is a column
// and no scale need be stored.
//
// shift is the smallest one at which both factors fit int16, and the spare factor below 2 that is
// left is shared between them: each uses at least 0.7 of its range unless the whole product is near
// the grid itself (shift 0). Where the metric side is still too coarse, a second column with the
// same b carries what its factor lost, up to 15 bits further down; the pair is again an outer
// product, (α·a + α'·a')(β·b)ᵀ.
#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <string>

#include "storage/delta/column.h"

namespace emend::storage::delta {
namespace {

constexpr double kFactorMax = 32767;
constexpr int kShiftMax = 33;  // 2^33 · 32767² is the largest bound below 2^63

// α·β = 2^(shift + kGridExponent).
struct Scales {
  double u = 0;
  double v = 0;
  int shift = 0;
};

double AbsMax(std::span<const double> values) {
  double max = 0;
  for (const double value : values) max = std::max(max, std::abs(value));
  return max;
}

std::uint64_t AbsMax(const std::vector<std::int16_t>& values) {
  int max = 0;
  for (const std::int16_t value : values) max = std::max(max, std::abs(int{value}));
  return static_cast<std::uint64_t>(max);
}

Status CheckFinite(std::span<const double> values, const char* name) {
  for (std::size_t i = 0; i < values.size(); ++i) {
    if (!std::isfinite(values[i])) {
      return InvalidArgument(std::string("quantising an edit u·vᵀ: ") + name + "[" +
                             std::to_string(i) + "] is NaN or infinite; the solve has diverged");
    }
  }
  return OkStatus();
}

Result<Scales> ChooseScales(double u_max, double v_max) {
  const double u_step = u_max / kFactorMax;
  const double v_step = v_max / kFactorMax;
  int shift = 0;
  while (shift <= kShiftMax && u_step * v_step > std::ldexp(1.0, shift + kGridExponent)) ++shift;
  if (shift > kShiftMax) {
    return Status(StatusCode::kResourceExhausted, "ledger_overflow",
                  "quantising an edit u·vᵀ: its largest element is about " +
                      std::to_string(u_max * v_max) +
                      ", expected below 32768 (2^63 steps of 2^-48); the edit is too large to be "
                      "kept exactly");
  }
  const double grid = std::ldexp(1.0, shift + kGridExponent);
  Scales scales;
  scales.shift = shift;
  scales.u = u_step * std::sqrt(grid / (u_step * v_step));
  scales.v = grid / scales.u;
  return scales;
}

std::vector<std::int16_t> Divide(std::span<const double> values, double scale) {
  std::vector<std::int16_t> factor(values.size());
  for (std::size_t i = 0; i < values.size(); ++i) {
    factor[i] = static_cast<std::int16_t>(
        std::clamp(std::nearbyint(values[i] / scale), -kFactorMax, kFactorMax));
  }
  return factor;
}

std::vector<double> Residual(std::span<const double> values,
                             const std::vector<std::int16_t>& factor, double scale) {
  std::vector<double> residual(values.size());
  for (std::size_t i = 0; i < values.size(); ++i) residual[i] = values[i] - scale * factor[i];
  return residual;
}

bool IsZero(const std::vector<std::int16_t>& factor) {
  return std::all_of(factor.begin(), factor.end(), [](std::int16_t value) { return value == 0; });
}

double MetricNorm(const QuantiseOptions& options, std::span<const double> values) {
  if (options.metric_norm) return options.metric_norm(values);
  double sum = 0;
  for (const double value : values) sum += value * value;
  return std::sqrt(sum);
}

// How many bits finer than `scale` the residual can be stored: as far as int16 and the grid (shift
// 0) allow.
int FinerBits(double residual_max, double scale, int shift) {
  int bits = 0;
  while (bits < shift && residual_max <= kFactorMax * std::ldexp(scale, -(bits + 1))) ++bits;
  return bits;
}

}  // namespace

Result<std::vector<Column>> QuantiseOuterProduct(std::span<const double> u,
                                                 std::span<const double> v,
                                                 const QuantiseOptions& options) {
  EMEND_RETURN_IF_ERROR(CheckFinite(u, "u"));
  EMEND_RETURN_IF_ERROR(CheckFinite(v, "v"));
  const double u_max = AbsMax(u);
  const double v_max = AbsMax(v);
  // Below a quarter of a grid step nothing of the product is left.
  if (u_max == 0 || v_max == 0 || u_max * v_max < std::ldexp(0.25, kGridExponent))
    return std::vector<Column>();
  EMEND_ASSIGN_OR_RETURN(const Scales scales, ChooseScales(u_max, v_max));

  Column high{static_cast<std::uint8_t>(scales.shift), Divide(u, scales.u), Divide(v, scales.v)};
  if (IsZero(high.a) || IsZero(high.b)) return std::vector<Column>();
  const bool by_rows = options.metric_side == MetricSide::kRows;
  const std::span<const double> exact = by_rows ? u : v;
  const double scale = by_rows ? scales.u : scales.v;
  const std::vector<double> residual = Residual(exact, by_rows ? high.a : high.b, scale);
  std::vector<Column> columns = {std::move(high)};
  if (MetricNorm(options, residual) <= options.relative_error_max * MetricNorm(options, exact))
    return columns;

  const int finer = FinerBits(AbsMax(residual), scale, scales.shift);
  std::vector<std::int16_t> low_factor = Divide(residual, std::ldexp(scale, -finer));
  if (IsZero(low_factor)) return columns;
  Column low = columns[0];
  low.shift = static_cast<std::uint8_t>(scales.shift - finer);
  (by_rows ? low.a : low.b) = std::move(low_factor);
  columns.push_back(std::move(low));
  return columns;
}

std::uint64_t ColumnBound(const Column& column) {
  constexpr std::uint64_t kSaturated = std::uint64_t{1} << 63;
  if (column.shift > 62) return kSaturated;
  const std::uint64_t product = AbsMax(column.a) * AbsMax(column.b);
  if (product == 0) return 0;
  if (product >= (kSaturated >> column.shift)) return kSaturated;
  return product << column.shift;
}

}  // namespace emend::storage::delta
