// The ledger D of a tensor, or of a shard of it: the int64 sum of the active columns in units of G,
// and the served weights that follow from it.
//
//   D_ij      = Σ_columns 2^shift · a_i · b_j
//       (exact; order, sharding and device cannot matter)
//   served_ij = W0_ij where D_ij = 0, else round(W0_ij + G·D_ij)
//       (one rounding to the tensor's dtype, ties to even; rounding.h)
//
//   Ledger ledger(TensorRange{0, rows, 0, cols});
//   column_sum.Fill(ledger);
//   EMEND_RETURN_IF_ERROR(ServeWeights(ledger, DType::kBF16, base_bytes, served_bytes));
//
// Whether a set of columns stays within int64 is decided before it is added, by CheckBudget over
// all active columns. Thread-safety: as a container. Integer arithmetic only; needs no libtorch.
// worker/ has a faster form that must give the same bytes.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "storage/base/status.h"
#include "storage/delta/column.h"
#include "storage/delta/dtype.h"

namespace emend::storage::delta {

// Half-open ranges of a tensor's rows and columns.
struct TensorRange {
  std::uint64_t row_begin = 0;
  std::uint64_t row_end = 0;
  std::uint64_t col_begin = 0;
  std::uint64_t col_end = 0;
  std::uint64_t rows() const { return row_end - row_begin; }
  std::uint64_t cols() const { return col_end - col_begin; }
};

// kResourceExhausted ("ledger_overflow") if Σ ColumnBound reaches 2^63.
Status CheckBudget(std::span<const Column* const> columns);

class Ledger {
 public:
  explicit Ledger(TensorRange range);
  const TensorRange& range() const { return range_; }
  // Row-major [range.rows, range.cols].
  std::span<const std::int64_t> values() const { return values_; }
  std::span<std::int64_t> mutable_values() { return values_; }

 private:
  TensorRange range_;
  std::vector<std::int64_t> values_;
};

// Served weights of the ledger's range: `base` and `served` are row-major element bytes of that
// range. They may be the same memory. kFailedPrecondition ("non_finite_weight") if a base or a
// served element is NaN or infinite, naming its place; `served` is then unspecified.
Status ServeWeights(const Ledger& ledger, DType dtype, std::span<const std::uint8_t> base,
                    std::span<std::uint8_t> served);

}  // namespace emend::storage::delta
