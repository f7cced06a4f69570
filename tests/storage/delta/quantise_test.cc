#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "storage/delta/column.h"
#include "tests/storage/delta/delta_fixture.h"
#include "tests/storage/delta/ledger_columns.h"

namespace emend::storage::delta::quantise_test {
namespace {

using Reals = std::vector<double>;

int AbsMax(const std::vector<std::int16_t>& factor) {
  int max = 0;
  for (const std::int16_t value : factor) max = std::max(max, std::abs(int{value}));
  return max;
}

class Quantise : public testing::Test {
 protected:
  Reals Normal(std::size_t size, double deviation) {
    Reals values(size);
    for (double& value : values) value = source_.Normal(deviation);
    return values;
  }

  std::vector<Column> Columns(const Reals& u, const Reals& v, const QuantiseOptions& options = {}) {
    auto columns = QuantiseOuterProduct(u, v, options);
    EXPECT_TRUE(columns.ok()) << columns.status().ToString();
    return *columns;
  }

  // ‖G·D - u·vᵀ‖ / ‖u·vᵀ‖, in the Frobenius norm.
  static double RelativeError(const std::vector<Column>& columns, const Reals& u, const Reals& v) {
    Ledger ledger(TensorRange{0, u.size(), 0, v.size()});
    for (const Column& column : columns) AddColumn(ledger, column);
    double error = 0;
    double norm = 0;
    for (std::size_t i = 0; i < ledger.values().size(); ++i) {
      const double exact = u[i / v.size()] * v[i % v.size()];
      const double found = std::ldexp(static_cast<double>(ledger.values()[i]), kGridExponent);
      error += (found - exact) * (found - exact);
      norm += exact * exact;
    }
    return std::sqrt(error / norm);
  }

  Source source_{5};
};

TEST_F(Quantise, GaussianFactorsNeedOneColumn) {
  for (const double deviation : {1e-3, 1e-2, 0.1, 1.0}) {
    const Reals u = Normal(300, deviation);
    const Reals v = Normal(80, 0.05);
    const std::vector<Column> columns = Columns(u, v);
    ASSERT_EQ(columns.size(), 1U);
    EXPECT_LT(RelativeError(columns, u, v), 2e-4);
  }
}

TEST_F(Quantise, BothFactorsUseMostOfInt16) {
  for (int i = 0; i < 200; ++i) {
    const double scale = std::exp2(static_cast<double>(source_.Below(1000)) / 100.0 - 5.0);
    const Reals u = Normal(50, scale);
    const Reals v = Normal(50, 1.0 / (1 + static_cast<double>(source_.Below(100))));
    const Column column = Columns(u, v).front();
    EXPECT_GE(AbsMax(column.a), 23169) << i;  // 32767 / sqrt 2
    EXPECT_GE(AbsMax(column.b), 23169) << i;
    EXPECT_LE(AbsMax(column.a), 32767);
    EXPECT_LE(AbsMax(column.b), 32767);
  }
}

TEST_F(Quantise, ShiftIsTheSmallestThatFits) {
  const Reals u = {32767 * std::ldexp(1.0, -20)};
  const Reals v = {32767 * std::ldexp(1.0, -20)};
  EXPECT_EQ(Columns(u, v), (std::vector<Column>{{8, {32767}, {32767}}}));  // 2^-40 = 2^(8-48)
}

TEST_F(Quantise, SmallProductsSitOnTheGrid) {
  const Reals u = {std::ldexp(12.0, -30), std::ldexp(-4.0, -30)};
  const Reals v = {std::ldexp(12.0, -18)};
  EXPECT_EQ(Columns(u, v), (std::vector<Column>{{0, {12, -4}, {12}}}));
}

TEST_F(Quantise, MetricSideThatIsTooCoarseGetsALowColumn) {
  // One element dwarfs the rest, and the metric sees only the rest.
  Reals u = Normal(100, 1e-4);
  u[0] = 10;
  const Reals v = Normal(40, 0.5);
  QuantiseOptions options;
  options.metric_norm = [](std::span<const double> x) {
    double sum = 0;
    for (std::size_t i = 1; i < x.size(); ++i) sum += x[i] * x[i];
    return std::sqrt(sum);
  };
  const std::vector<Column> columns = Columns(u, v, options);
  ASSERT_EQ(columns.size(), 2U);
  EXPECT_EQ(columns[0].b, columns[1].b);
  EXPECT_LT(columns[1].shift, columns[0].shift);

  const std::vector<Reals> rests = {Reals(u.begin() + 1, u.end())};
  std::vector<Column> high = {columns[0]};
  std::vector<Column> both = columns;
  for (std::vector<Column>* part : {&high, &both}) {
    for (Column& column : *part) column.a.erase(column.a.begin());
  }
  EXPECT_GT(RelativeError(high, rests[0], v), 1e-2);
  EXPECT_LT(RelativeError(both, rests[0], v), 1e-3);
}

TEST_F(Quantise, MetricSideMayBeTheColumns) {
  const Reals u = Normal(40, 0.5);
  Reals v = Normal(100, 1e-4);
  v[3] = 10;
  QuantiseOptions options;
  options.metric_side = MetricSide::kCols;
  options.metric_norm = [](std::span<const double> x) { return std::abs(x[0]) + std::abs(x[1]); };
  const std::vector<Column> columns = Columns(u, v, options);
  ASSERT_EQ(columns.size(), 2U);
  EXPECT_EQ(columns[0].a, columns[1].a);
  EXPECT_NE(columns[0].b, columns[1].b);
}

TEST_F(Quantise, AStrictBoundAlwaysGetsTheLowColumn) {
  const Reals u = Normal(300, 0.1);
  const Reals v = Normal(80, 0.1);
  QuantiseOptions options;
  options.relative_error_max = 1e-7;
  const std::vector<Column> columns = Columns(u, v, options);
  ASSERT_EQ(columns.size(), 2U);
  EXPECT_EQ(Columns(u, v, options), columns);
}

TEST_F(Quantise, ZeroAndVanishingFactorsGiveNoColumn) {
  EXPECT_TRUE(Columns({0, 0}, {1}).empty());
  EXPECT_TRUE(Columns({1, 2}, {-0.0}).empty());
  EXPECT_TRUE(Columns({1e-9}, {1e-9}).empty());
  EXPECT_TRUE(Columns({1e-300}, {1e-300}).empty());
  EXPECT_TRUE(Columns({}, {1}).empty());
}

TEST_F(Quantise, ExtremeRatiosKeepTheirProduct) {
  const Reals u = {1e200, -5e199};
  const Reals v = {1e-200, 3e-201};
  EXPECT_LT(RelativeError(Columns(u, v), u, v), 1e-4);
}

TEST_F(Quantise, RefusesNumbersThatAreNotFinite) {
  for (const double bad :
       {std::numeric_limits<double>::quiet_NaN(), std::numeric_limits<double>::infinity()}) {
    EXPECT_EQ(QuantiseOuterProduct(Reals{1, bad}, Reals{1}, {}).status().code(),
              StatusCode::kInvalidArgument);
    EXPECT_EQ(QuantiseOuterProduct(Reals{1}, Reals{bad}, {}).status().code(),
              StatusCode::kInvalidArgument);
  }
}

TEST_F(Quantise, RefusesWhatTheLedgerCannotHold) {
  EXPECT_EQ(Columns({32766}, {1}).front().shift, 33);
  for (const double large : {32769.0, 1e10, 1e300}) {
    const Status status =
        QuantiseOuterProduct(Reals{large}, Reals{large > 1e200 ? large : 1.0}, {}).status();
    EXPECT_EQ(status.code(), StatusCode::kResourceExhausted);
    EXPECT_EQ(status.slug(), "ledger_overflow");
  }
}

TEST_F(Quantise, EveryColumnFitsTheBudgetAlone) {
  for (int i = 0; i < 300; ++i) {
    const double size = std::exp2(static_cast<double>(source_.Below(1500)) / 100.0);
    const std::vector<Column> columns = Columns({size, -size / 3}, {0.99});
    const auto pointers = Pointers(columns);
    EXPECT_EQ(CheckBudget(pointers), OkStatus()) << size;
  }
}

}  // namespace
}  // namespace emend::storage::delta::quantise_test
