// The sum of many columns over one range, several columns a pass: the inner loop of the rebuild.
// Internal to storage/delta.
//
//   Σ 2^shift · a · bᵀ by Horner's rule from the highest shift down: within one shift, products of
//   int16 add up in pairs in int32 and then in int64; before
// the next lower shift the sum moves up by the difference. No partial sum exceeds the budget's
// bound, so nothing wraps. Thread-safe: immutable once built. Borrows the columns.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "storage/delta/column.h"
#include "storage/delta/ledger.h"

namespace emend::storage::delta {

class ColumnSum {
 public:
  // REQUIRES: CheckBudget(columns) is ok; every column is rows × cols.
  ColumnSum(std::span<const Column* const> columns, std::uint64_t rows, std::uint64_t cols);

  // Overwrites `ledger` with the sum over its range.
  void Fill(Ledger& ledger) const;

  // Two columns of one shift; the second may be all zeros.
  struct Pair {
    const std::int16_t* a[2];
    const std::int16_t* b[2];
    std::uint8_t shift;
  };

 private:
  std::vector<std::int16_t> zeros_;
  std::vector<Pair> pairs_;  // by falling shift
};

}  // namespace emend::storage::delta
