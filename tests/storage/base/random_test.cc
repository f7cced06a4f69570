#include "storage/base/random.h"
#include "tests/support/seeded_random.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <set>

namespace emend::random_test {
namespace {

TEST(RandomTest, ASeedGivesTheSameBytes) {
  test::SeededRandom first(7);
  test::SeededRandom second(7);
  test::SeededRandom other(8);
  const std::string bytes = first.Bytes(100);
  EXPECT_EQ(bytes.size(), 100U);
  EXPECT_EQ(second.Bytes(100), bytes);
  EXPECT_NE(other.Bytes(100), bytes);
}

TEST(RandomTest, TheSystemsBytesDiffer) {
  SystemRandom random;
  std::set<std::string> seen;
  for (int i = 0; i < 100; ++i) seen.insert(random.Bytes(16));
  EXPECT_EQ(seen.size(), 100U);
  EXPECT_EQ(random.Bytes(0), "");
}

TEST(RandomTest, BelowStaysBelowAndReachesEveryValue) {
  test::SeededRandom random(7);
  std::array<int, 6> counts{};
  for (int i = 0; i < 6000; ++i) ++counts.at(random.Below(6));
  for (const int count : counts) EXPECT_NEAR(count, 1000, 200);
  EXPECT_EQ(random.Below(1), 0U);
}

TEST(RandomTest, BelowWorksNearTheLargestBound) {
  test::SeededRandom random(7);
  const std::uint64_t bound = ~std::uint64_t{0};
  for (int i = 0; i < 100; ++i) EXPECT_LT(random.Below(bound), bound);
  // almost half of all draws are thrown away
  const std::uint64_t half = (std::uint64_t{1} << 63) + 1;
  for (int i = 0; i < 100; ++i) EXPECT_LT(random.Below(half), half);
}

TEST(RandomDeathTest, NothingIsBelowZero) {
  test::SeededRandom random(7);
  EXPECT_DEATH(random.Below(0), "below zero");
}

}  // namespace
}  // namespace emend::random_test
