#include "worker/edit/batching.h"

#include <ATen/ATen.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <random>

namespace emend::worker::edit::batching_test {
namespace {

TEST(BatchingTest, EveryRowIsInOneGroupWithinTheBounds) {
  std::mt19937 random(7);
  std::vector<std::int64_t> lengths(500);
  for (std::int64_t& length : lengths) length = 1 + static_cast<std::int64_t>(random() % 60);
  std::vector<int> seen(lengths.size());
  for (const RowGroup& group : GroupByLength(lengths, 300)) {
    EXPECT_LE(static_cast<std::int64_t>(group.rows.size()) * group.length, 300);
    for (const std::int64_t row : group.rows) {
      ++seen[row];
      EXPECT_LE(lengths[row], group.length);
      EXPECT_GE(8 * lengths[row], 7 * group.length);
    }
  }
  EXPECT_THAT(seen, ::testing::Each(1));
}

TEST(BatchingTest, ARowOverTheBoundGetsAGroupOfItsOwn) {
  const std::vector<std::int64_t> lengths = {10, 400, 10};
  const std::vector<RowGroup> groups = GroupByLength(lengths, 100);
  ASSERT_EQ(groups.size(), 2U);
  EXPECT_THAT(groups[0].rows, ::testing::ElementsAre(1));
  EXPECT_THAT(groups[1].rows, ::testing::ElementsAre(0, 2));
}

TEST(BatchingTest, RowsArePaddedAndCutToTheLength) {
  const std::vector<tokenizer::TokenId> a = {5, 6, 7};
  const std::vector<tokenizer::TokenId> b = {8};
  const std::vector<const std::vector<tokenizer::TokenId>*> rows = {&a, &b};
  EXPECT_TRUE(at::equal(PadTokens(rows, 2),
                        IndexTensor(std::vector<std::int64_t>{5, 6, 8, 0}).view({2, 2})));
}

}  // namespace
}  // namespace emend::worker::edit::batching_test
