// AddColumns: the ledger's sum by fp64 products that cannot round.
#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>

#include "worker/edit/quantising_committer.h"

namespace emend::worker::edit {
namespace {

using storage::delta::Column;
using storage::delta::Ledger;

constexpr double kExactMax = 9007199254740992.0;  // 2^53: integers up to it are fp64 values

double AbsMax(const std::vector<std::int16_t>& values) {
  int max = 0;
  for (const std::int16_t value : values) max = std::max(max, std::abs(static_cast<int>(value)));
  return max;
}

void CopyScaled(std::span<const std::int16_t> values, double scale, double* out) {
  for (std::size_t i = 0; i < values.size(); ++i) out[i] = scale * values[i];
}

// Columns, lowest shift first, whose sum over 2^(lowest shift) stays within kExactMax.
std::size_t ExactPrefix(std::span<const Column* const> columns) {
  double bound = 0;
  for (std::size_t i = 0; i < columns.size(); ++i) {
    bound += std::ldexp(AbsMax(columns[i]->a) * AbsMax(columns[i]->b),
                        columns[i]->shift - columns[0]->shift);
    if (bound > kExactMax) return i;
  }
  return columns.size();
}

// ledger += 2^(lowest shift) · Σ 2^(shift − lowest shift)·a·bᵀ, modulo 2^64 like the ledger itself.
void AddExact(std::span<const Column* const> columns, Ledger& ledger) {
  const storage::delta::TensorRange& range = ledger.range();
  const auto count = static_cast<std::int64_t>(columns.size());
  at::Tensor a = at::empty({count, static_cast<std::int64_t>(range.rows())}, at::kDouble);
  at::Tensor b = at::empty({count, static_cast<std::int64_t>(range.cols())}, at::kDouble);
  for (std::int64_t i = 0; i < count; ++i) {
    CopyScaled(std::span(columns[i]->a).subspan(range.row_begin, range.rows()),
               std::ldexp(1.0, columns[i]->shift - columns[0]->shift),
               a.mutable_data_ptr<double>() + i * a.size(1));
    CopyScaled(std::span(columns[i]->b).subspan(range.col_begin, range.cols()), 1.0,
               b.mutable_data_ptr<double>() + i * b.size(1));
  }
  const at::Tensor sum = a.t().matmul(b).contiguous();
  const double* values = sum.const_data_ptr<double>();
  const std::span<std::int64_t> sums = ledger.mutable_values();
  for (std::size_t i = 0; i < sums.size(); ++i) {
    const auto steps = static_cast<std::uint64_t>(static_cast<std::int64_t>(values[i]))
                       << columns[0]->shift;
    sums[i] = static_cast<std::int64_t>(static_cast<std::uint64_t>(sums[i]) + steps);
  }
}

}  // namespace

void AddColumns(std::span<const Column* const> columns, Ledger& ledger) {
  for (const Column* column : columns) {
    EMEND_CHECK(
        column->a.size() >= ledger.range().row_end && column->b.size() >= ledger.range().col_end,
        "a column does not cover the ledger's range");
  }
  std::vector<const Column*> order(columns.begin(), columns.end());
  std::ranges::stable_sort(order, {}, &Column::shift);
  for (std::span<const Column* const> rest = order; !rest.empty();) {
    const std::size_t size = ExactPrefix(rest);
    AddExact(rest.first(size), ledger);
    rest = rest.subspan(size);
  }
}

}  // namespace emend::worker::edit
