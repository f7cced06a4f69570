// AddColumns against the integer ledger.
#include <gtest/gtest.h>

#include <algorithm>
#include <random>

#include "tests/storage/delta/ledger_columns.h"
#include "worker/edit/quantising_committer.h"

namespace emend::worker::edit::column_gemm_test {
namespace {

using storage::delta::Column;
using storage::delta::Ledger;

constexpr std::uint64_t kRows = 37;
constexpr std::uint64_t kCols = 23;

struct Range {
  int shift_max;
  int factor_max;
};

class ColumnGemmTest : public ::testing::TestWithParam<Range> {
 protected:
  std::vector<Column> Random(std::size_t count) {
    std::vector<Column> columns(count);
    const auto factor = [&] {
      return static_cast<std::int16_t>(
          static_cast<int>(random_() % (2 * GetParam().factor_max + 1)) - GetParam().factor_max);
    };
    for (Column& column : columns) {
      column.shift = static_cast<std::uint8_t>(random_() % (GetParam().shift_max + 1));
      column.a.resize(kRows);
      column.b.resize(kCols);
      std::ranges::generate(column.a, factor);
      std::ranges::generate(column.b, factor);
    }
    return columns;
  }

  std::mt19937 random_{11};
};
INSTANTIATE_TEST_SUITE_P(Ranges, ColumnGemmTest,
                         ::testing::Values(Range{0, 32767}, Range{20, 32767}, Range{33, 300},
                                           Range{48, 3}, Range{62, 0}));

TEST_P(ColumnGemmTest, TheSumIsTheIntegerLedgersBitForBit) {
  for (const std::size_t count : {1U, 2U, 63U, 300U}) {
    const std::vector<Column> columns = Random(count);
    Ledger exact({0, kRows, 0, kCols});
    exact.mutable_values()[5] = -123456789;
    Ledger fast = exact;
    std::vector<const Column*> pointers;
    for (const Column& column : columns) {
      AddColumn(exact, column);
      pointers.push_back(&column);
    }
    AddColumns(pointers, fast);
    EXPECT_TRUE(std::ranges::equal(fast.values(), exact.values())) << count;
    std::ranges::shuffle(pointers, random_);
    Ledger shuffled({0, kRows, 0, kCols});
    shuffled.mutable_values()[5] = -123456789;
    AddColumns(pointers, shuffled);
    EXPECT_TRUE(std::ranges::equal(shuffled.values(), exact.values()));

    Ledger part({1, kRows - 1, 2, kCols}), fast_part = part;
    for (const Column& column : columns) AddColumn(part, column);
    AddColumns(pointers, fast_part);
    EXPECT_TRUE(std::ranges::equal(fast_part.values(), part.values())) << "a range of the tensor";
  }
}

TEST(AddColumnsTest, NoColumnsLeaveTheLedger) {
  Ledger ledger({0, 2, 0, 3});
  std::ranges::fill(ledger.mutable_values(), 9);
  AddColumns({}, ledger);
  EXPECT_TRUE(std::ranges::all_of(ledger.values(), [](std::int64_t value) { return value == 9; }));
}

}  // namespace
}  // namespace emend::worker::edit::column_gemm_test
