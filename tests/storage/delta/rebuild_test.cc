#include "storage/delta/rebuild.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "storage/delta/column_sum.h"
#include "tests/storage/delta/delta_fixture.h"
#include "tests/storage/delta/ledger_columns.h"

namespace emend::storage::delta::rebuild_test {
namespace {

class Rebuild : public testing::Test {
 protected:
  void ExpectSumEqualsLedger(const std::vector<Column>& columns, const TensorRange& range,
                             std::uint64_t rows, std::uint64_t cols) {
    Ledger expected(range);
    for (const Column& column : columns) AddColumn(expected, column);
    Ledger found(range);
    ColumnSum(Pointers(columns), rows, cols).Fill(found);
    EXPECT_TRUE(
        std::equal(found.values().begin(), found.values().end(), expected.values().begin()));
  }

  Source source_{7};
};

TEST_F(Rebuild, SumsAsTheLedgerDoesForAnyCountAndShape) {
  for (const std::size_t count : {0U, 1U, 2U, 3U, 7U, 40U}) {
    for (const std::uint64_t cols : {1U, 63U, 64U, 65U, 200U}) {
      for (const std::uint64_t rows : {1U, 8U, 13U}) {
        ExpectSumEqualsLedger(source_.Columns(count, rows, cols), TensorRange{0, rows, 0, cols},
                              rows, cols);
      }
    }
  }
}

TEST_F(Rebuild, SumsOverAPartOfTheTensor) {
  ExpectSumEqualsLedger(source_.Columns(9, 100, 300), TensorRange{17, 90, 5, 290}, 100, 300);
}

TEST_F(Rebuild, SumsExtremeFactorsAndShifts) {
  const std::vector<std::int16_t> lowest(70, -32768);
  const std::vector<std::int16_t> highest(70, 32767);
  const std::vector<Column> columns = {
      {30, lowest, lowest}, {30, lowest, lowest}, {30, highest, lowest},
      {0, lowest, lowest},  {0, lowest, highest}, {29, highest, highest},
      {29, lowest, lowest}, {5, lowest, lowest},  {0, lowest, lowest}};
  ExpectSumEqualsLedger(columns, TensorRange{0, 70, 0, 70}, 70, 70);
}

TEST_F(Rebuild, DependsNeitherOnThreadsNorOnOrder) {
  const TensorShape shape{DType::kBF16, 300, 130};
  const Bytes base = source_.Weights(shape.dtype, shape.rows * shape.cols);
  std::vector<Column> columns = source_.Columns(25, shape.rows, shape.cols);
  const RebuiltTensor first = RebuildTensor(shape, base, Pointers(columns), 1).value();
  EXPECT_EQ(first.digest, HashTensor(shape, first.bytes).value());
  for (const std::size_t threads : {0U, 2U, 3U, 64U}) {
    std::reverse(columns.begin(), columns.end());
    const RebuiltTensor again = RebuildTensor(shape, base, Pointers(columns), threads).value();
    EXPECT_EQ(again.bytes, first.bytes);
    EXPECT_EQ(again.digest, first.digest);
  }
}

TEST_F(Rebuild, WithoutColumnsGivesTheBase) {
  const TensorShape shape{DType::kF16, 65, 3};
  const Bytes base = source_.Weights(shape.dtype, shape.rows * shape.cols);
  const RebuiltTensor rebuilt = RebuildTensor(shape, base, {}, 2).value();
  EXPECT_EQ(rebuilt.bytes, base);
  EXPECT_EQ(rebuilt.digest, HashTensor(shape, base).value());
}

TEST_F(Rebuild, HashesTensorsOfOtherTypesButDoesNotEditThem) {
  const TensorShape shape{DType::kI64, 2, 3};
  const Bytes base(48, 0xff);
  EXPECT_EQ(RebuildTensor(shape, base, {}, 1)->digest, HashTensor(shape, base).value());
  const std::vector<Column> columns = source_.Columns(1, 2, 3);
  EXPECT_EQ(RebuildTensor(shape, base, Pointers(columns), 1).status().code(),
            StatusCode::kUnsupported);
}

TEST_F(Rebuild, RefusesABudgetOverflow) {
  const TensorShape shape{DType::kF32, 1, 1};
  const std::vector<Column> columns(3, Column{32, {32767}, {32767}});
  const Status status = RebuildTensor(shape, Bytes(4), Pointers(columns), 1).status();
  EXPECT_EQ(status.code(), StatusCode::kResourceExhausted);
  EXPECT_EQ(status.slug(), "ledger_overflow");
}

TEST_F(Rebuild, RefusesAWeightThatIsNotFinite) {
  const TensorShape shape{DType::kBF16, 130, 1};
  Bytes base(260, 0);
  base[2 * 129] = 0xc0;
  base[2 * 129 + 1] = 0x7f;
  const Status status = RebuildTensor(shape, base, {}, 3).status();
  EXPECT_EQ(status.slug(), "non_finite_weight");
  EXPECT_NE(status.message().find("row 129, column 0"), std::string::npos) << status.message();
}

TEST_F(Rebuild, RefusesWrongSizes) {
  const TensorShape shape{DType::kF32, 2, 2};
  EXPECT_EQ(RebuildTensor(shape, Bytes(15), {}, 1).status().code(), StatusCode::kInvalidArgument);
  const std::vector<Column> columns = {Column{0, {1, 2}, {1}}};
  EXPECT_EQ(RebuildTensor(shape, Bytes(16), Pointers(columns), 1).status().code(),
            StatusCode::kInvalidArgument);
  EXPECT_EQ(RebuildTensor({DType::kF32, std::uint64_t{1} << 62, 4}, Bytes(), {}, 1).status().code(),
            StatusCode::kInvalidArgument);
}

}  // namespace
}  // namespace emend::storage::delta::rebuild_test
