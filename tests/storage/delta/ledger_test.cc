#include "storage/delta/ledger.h"

#include <gtest/gtest.h>

#include "tests/storage/delta/delta_fixture.h"
#include "tests/storage/delta/ledger_columns.h"

namespace emend::storage::delta::ledger_test {
namespace {

TEST(Ledger, HoldsTheSumOfItsColumnsOverItsRange) {
  const Column first{3, {1, -2, 3}, {5, 7}};
  const Column second{0, {-32768, 0, 1}, {-32768, 2}};
  Ledger ledger(TensorRange{0, 2, 1, 2});
  AddColumn(ledger, first);
  AddColumn(ledger, second);
  EXPECT_EQ(std::vector<std::int64_t>(ledger.values().begin(), ledger.values().end()),
            (std::vector<std::int64_t>{8 * 7 - 2 * 32768, -16 * 7}));
  RemoveColumn(ledger, first);
  RemoveColumn(ledger, second);
  EXPECT_EQ(std::vector<std::int64_t>(ledger.values().begin(), ledger.values().end()),
            (std::vector<std::int64_t>{0, 0}));
}

TEST(Ledger, ComesBackExactlyFromBeyondInt64) {
  const Column large{32, {32767}, {32767}};
  Ledger ledger(TensorRange{0, 1, 0, 1});
  for (int i = 0; i < 5; ++i) AddColumn(ledger, large);
  for (int i = 0; i < 4; ++i) RemoveColumn(ledger, large);
  EXPECT_EQ(ledger.values()[0], (std::int64_t{32767} * 32767) << 32);
}

TEST(ColumnBound, IsTheLargestElementInGridSteps) {
  EXPECT_EQ(ColumnBound(Column{4, {3, -7}, {2, -5}}), 16U * 35U);
  EXPECT_EQ(ColumnBound(Column{4, {0, 0}, {2, -5}}), 0U);
  EXPECT_EQ(ColumnBound(Column{32, {-32768}, {-32768}}), std::uint64_t{1} << 62);
}

TEST(ColumnBound, SaturatesAtTwoToThe63) {
  constexpr std::uint64_t kSaturated = std::uint64_t{1} << 63;
  EXPECT_EQ(ColumnBound(Column{33, {-32768}, {-32768}}), kSaturated);
  EXPECT_EQ(ColumnBound(Column{62, {32767}, {32767}}), kSaturated);
  EXPECT_EQ(ColumnBound(Column{63, {0}, {0}}), kSaturated);
}

TEST(CheckBudget, RefusesTheSumThatReachesTwoToThe63) {
  const Column half{32, {-32768}, {-32768}};  // 2^62
  const Column almost{0, {1}, {1}};
  const std::vector<const Column*> below = {&half, &almost};
  EXPECT_EQ(CheckBudget(below), OkStatus());
  const std::vector<const Column*> reaches = {&half, &half};
  EXPECT_EQ(CheckBudget(reaches).code(), StatusCode::kResourceExhausted);
  EXPECT_EQ(CheckBudget(reaches).slug(), "ledger_overflow");
  EXPECT_EQ(CheckBudget({}), OkStatus());
}

TEST(CheckBudget, RefusesASingleSaturatedColumn) {
  const Column saturated{62, {2}, {1}};
  const std::vector<const Column*> columns = {&saturated};
  EXPECT_EQ(CheckBudget(columns).slug(), "ledger_overflow");
}

TEST(ServeWeights, ServesInPlace) {
  Ledger ledger(TensorRange{0, 1, 0, 3});
  AddColumn(ledger, Column{18, {16384}, {16384, 0, -16384}});  // ±2^46 steps: ±0.25
  Bytes bytes = {0x80, 0x3f, 0x00, 0x80, 0x80, 0x3e};          // 1, -0, 0.25
  ASSERT_EQ(ServeWeights(ledger, DType::kBF16, bytes, bytes), OkStatus());
  EXPECT_EQ(bytes, (Bytes{0xa0, 0x3f, 0x00, 0x80, 0x00, 0x00}));  // 1.25, -0, +0
}

TEST(ServeWeights, NamesThePlaceOfAWeightThatIsNotFinite) {
  const Ledger ledger(TensorRange{64, 66, 128, 130});
  Bytes base(16, 0);
  base[12 + 2] = 0x80;
  base[12 + 3] = 0x7f;  // infinity at row 1, column 1 of the range
  Bytes served(16);
  const Status status = ServeWeights(ledger, DType::kF32, base, served);
  EXPECT_EQ(status.code(), StatusCode::kFailedPrecondition);
  EXPECT_EQ(status.slug(), "non_finite_weight");
  EXPECT_NE(status.message().find("row 65, column 129"), std::string::npos) << status.message();
}

TEST(ServeWeights, RefusesASumThatOverflowsTheType) {
  Ledger ledger(TensorRange{0, 1, 0, 1});
  AddColumn(ledger, Column{31, {32767}, {32767}});  // about 2^13
  Bytes base = {0xff, 0x7b};                        // 65504
  EXPECT_EQ(ServeWeights(ledger, DType::kF16, base, base).slug(), "non_finite_weight");
}

TEST(ServeWeights, RefusesOtherTypesAndSizes) {
  const Ledger ledger(TensorRange{0, 1, 0, 1});
  Bytes bytes(4);
  EXPECT_EQ(ServeWeights(ledger, DType::kI32, bytes, bytes).code(), StatusCode::kUnsupported);
  EXPECT_EQ(ServeWeights(ledger, DType::kF16, bytes, bytes).code(), StatusCode::kInvalidArgument);
}

TEST(DType, NamesGoBothWays) {
  for (int number = 1; number <= 15; ++number) {
    const auto dtype = static_cast<DType>(number);
    EXPECT_EQ(DTypeFromName(DTypeName(dtype)).value(), dtype);
  }
  EXPECT_EQ(DTypeFromName("bf16").status().code(), StatusCode::kUnsupported);
  EXPECT_NE(DTypeFromName("Q4_0").status().message().find("F8_E5M2"), std::string::npos);
}

}  // namespace
}  // namespace emend::storage::delta::ledger_test
