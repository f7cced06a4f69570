// Edit columns: one edit's change to one tensor, as integers.
//
// A column is Δ = G · 2^shift · a · bᵀ with G = 2^-48, a [rows] and b [cols] in int16. Rows and
// columns are those of the tensor as the file stores it. Integers are the definition of an edit:
// adding and removing them in any order, on any sharding, gives the same ledger (ledger.h).
//
//   // one column, or a high and a low one
//   EMEND_ASSIGN_OR_RETURN(std::vector<Column> columns, QuantiseOuterProduct(u, v, options));
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <vector>

#include "storage/base/status.h"

namespace emend::storage::delta {

inline constexpr int kGridExponent = -48;  // G = 2^kGridExponent

struct Column {
  std::uint8_t shift = 0;       // 0 .. 62
  std::vector<std::int16_t> a;  // [rows]
  std::vector<std::int16_t> b;  // [cols]

  friend bool operator==(const Column&, const Column&) = default;
};

// One edit's columns for one tensor.
struct TensorDelta {
  std::string tensor;  // name in the checkpoint
  std::uint64_t rows = 0;
  std::uint64_t cols = 0;
  std::vector<Column> columns;

  friend bool operator==(const TensorDelta&, const TensorDelta&) = default;
};

// Which factor the solve's matrix A measures.
enum class MetricSide { kRows, kCols };

struct QuantiseOptions {
  // ‖x‖_A for a vector on the metric side: sqrt(xᵀAx), A the matrix of the solve (MEMIT: λC + ridge
  // + KKᵀ). Empty: the Euclidean norm.
  std::function<double(std::span<const double>)> metric_norm;
  MetricSide metric_side = MetricSide::kRows;
  // beyond it the metric-side factor is stored as a high and a low column
  double relative_error_max = 1e-2;
};

// u [rows] · vᵀ [cols] as one column, or as two where int16 is too coarse on the metric side. A
// zero factor gives no column. kInvalidArgument if an element is not finite; kResourceExhausted
// ("ledger_overflow") if |u|max·|v|max does not fit the grid's int64 range.
Result<std::vector<Column>> QuantiseOuterProduct(std::span<const double> u,
                                                 std::span<const double> v,
                                                 const QuantiseOptions& options);

// 2^shift · max|a| · max|b|: what the column may add to any ledger element at most, in units of G.
// Saturates at 2^63.
std::uint64_t ColumnBound(const Column& column);

}  // namespace emend::storage::delta
