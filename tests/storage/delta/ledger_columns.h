// Columns into and out of a ledger one at a time: the definition, which faster sums are held
// against.
#pragma once

#include <cstdint>
#include <string>

#include "storage/base/check.h"
#include "storage/delta/ledger.h"

namespace emend::storage::delta {

// values += 2^shift · a · bᵀ, or -= it, modulo 2^64: a sum that leaves int64 on the way and comes
// back is still exact. The column is the whole tensor's; the ledger takes its part. REQUIRES: the
// column covers the range.
inline void Accumulate(const Column& column, bool negate, Ledger& ledger) {
  const TensorRange& range = ledger.range();
  EMEND_CHECK(column.a.size() >= range.row_end && column.b.size() >= range.col_end,
              "a column of " + std::to_string(column.a.size()) + " x " +
                  std::to_string(column.b.size()) + " does not cover the ledger");
  EMEND_CHECK(column.shift <= 62,
              "a column's shift is " + std::to_string(column.shift) + ", expected at most 62");
  const std::int16_t* b = column.b.data() + range.col_begin;
  for (std::uint64_t row = 0; row < range.rows(); ++row) {
    const std::int64_t a = column.a[range.row_begin + row];
    if (a == 0) continue;
    const std::uint64_t factor = static_cast<std::uint64_t>(negate ? -a : a) << column.shift;
    std::int64_t* out = ledger.mutable_values().data() + row * range.cols();
    for (std::uint64_t col = 0; col < range.cols(); ++col) {
      out[col] =
          static_cast<std::int64_t>(static_cast<std::uint64_t>(out[col]) +
                                    factor * static_cast<std::uint64_t>(std::int64_t{b[col]}));
    }
  }
}

inline void AddColumn(Ledger& ledger, const Column& column) {
  Accumulate(column, /*negate=*/false, ledger);
}
inline void RemoveColumn(Ledger& ledger, const Column& column) {
  Accumulate(column, /*negate=*/true, ledger);
}

}  // namespace emend::storage::delta
