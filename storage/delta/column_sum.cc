#include "storage/delta/column_sum.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <limits>

namespace emend::storage::delta {
namespace {

constexpr std::uint64_t kBlockRows = 8;
constexpr std::uint64_t kBlockCols = 64;
using Block = std::array<std::array<std::int64_t, kBlockCols>, kBlockRows>;

// -32768 · -32768 twice is the one sum of two products that leaves int32.
bool HasLowest(const Column& column) {
  constexpr std::int16_t kLowest = std::numeric_limits<std::int16_t>::min();
  return std::find(column.a.begin(), column.a.end(), kLowest) != column.a.end() &&
         std::find(column.b.begin(), column.b.end(), kLowest) != column.b.end();
}

struct Corner {
  std::uint64_t row;
  std::uint64_t col;
  std::uint64_t rows;
  std::uint64_t cols;
};

[[gnu::always_inline]] inline void AddPair(const ColumnSum::Pair& pair, const Corner& at,
                                           Block& block) {
  const std::int16_t* b0 = pair.b[0] + at.col;
  const std::int16_t* b1 = pair.b[1] + at.col;
  for (std::uint64_t row = 0; row < at.rows; ++row) {
    const std::int32_t a0 = pair.a[0][at.row + row];
    const std::int32_t a1 = pair.a[1][at.row + row];
    std::int64_t* out = block[row].data();
    if (at.cols == kBlockCols) {
      for (std::uint64_t col = 0; col < kBlockCols; ++col) out[col] += a0 * b0[col] + a1 * b1[col];
    } else {
      for (std::uint64_t col = 0; col < at.cols; ++col) out[col] += a0 * b0[col] + a1 * b1[col];
    }
  }
}

[[gnu::always_inline]] inline void MoveUp(int bits, Block& block) {
  if (bits == 0) return;
  for (auto& row : block) {
    for (std::int64_t& value : row) value <<= bits;
  }
}

[[gnu::always_inline]] inline void SumBlock(const std::vector<ColumnSum::Pair>& pairs,
                                            const Corner& at, Block& block) {
  for (auto& row : block) row.fill(0);
  int shift = pairs.front().shift;
  for (const ColumnSum::Pair& pair : pairs) {
    MoveUp(shift - pair.shift, block);
    shift = pair.shift;
    AddPair(pair, at, block);
  }
  MoveUp(shift, block);
}

using SumBlockFn = void (*)(const std::vector<ColumnSum::Pair>&, const Corner&, Block&);

void SumBlockPlain(const std::vector<ColumnSum::Pair>& pairs, const Corner& at, Block& block) {
  SumBlock(pairs, at, block);
}

#if defined(__x86_64__)
[[gnu::target("avx2")]] void SumBlockAvx2(const std::vector<ColumnSum::Pair>& pairs,
                                          const Corner& at, Block& block) {
  SumBlock(pairs, at, block);
}

SumBlockFn ChooseSumBlock() {
  return __builtin_cpu_supports("avx2") ? SumBlockAvx2 : SumBlockPlain;
}
#else
SumBlockFn ChooseSumBlock() { return SumBlockPlain; }
#endif

}  // namespace

ColumnSum::ColumnSum(std::span<const Column* const> columns, std::uint64_t rows, std::uint64_t cols)
    : zeros_(std::max(rows, cols), 0) {
  std::vector<const Column*> sorted(columns.begin(), columns.end());
  std::stable_sort(sorted.begin(), sorted.end(),
                   [](const Column* x, const Column* y) { return x->shift > y->shift; });
  const Column* open = nullptr;  // waits for a partner of its shift
  const auto close = [&](const std::int16_t* a, const std::int16_t* b) {
    pairs_.push_back({{open->a.data(), a}, {open->b.data(), b}, open->shift});
    open = nullptr;
  };
  for (const Column* column : sorted) {
    EMEND_CHECK(column->a.size() == rows && column->b.size() == cols,
                "a column does not have its tensor's size");
    const bool alone = HasLowest(*column);
    if (open != nullptr && open->shift == column->shift && !alone) {
      close(column->a.data(), column->b.data());
      continue;
    }
    if (open != nullptr) close(zeros_.data(), zeros_.data());
    open = column;
    if (alone) close(zeros_.data(), zeros_.data());
  }
  if (open != nullptr) close(zeros_.data(), zeros_.data());
}

void ColumnSum::Fill(Ledger& ledger) const {
  const TensorRange& range = ledger.range();
  const std::span<std::int64_t> values = ledger.mutable_values();
  if (pairs_.empty()) {
    std::fill(values.begin(), values.end(), 0);
    return;
  }
  const SumBlockFn sum_block = ChooseSumBlock();
  Block block;
  // All rows of one stripe of columns in turn: the stripe of every b stays in cache.
  for (std::uint64_t col = range.col_begin; col < range.col_end; col += kBlockCols) {
    for (std::uint64_t row = range.row_begin; row < range.row_end; row += kBlockRows) {
      const Corner at{row, col, std::min(kBlockRows, range.row_end - row),
                      std::min(kBlockCols, range.col_end - col)};
      sum_block(pairs_, at, block);
      for (std::uint64_t r = 0; r < at.rows; ++r) {
        std::memcpy(&values[(row - range.row_begin + r) * range.cols() + (col - range.col_begin)],
                    block[r].data(), at.cols * sizeof(std::int64_t));
      }
    }
  }
}

}  // namespace emend::storage::delta
