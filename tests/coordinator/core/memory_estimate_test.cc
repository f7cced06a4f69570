// What is predicted of a model's folder, and what is refused by name. That ranks hold what is
// predicted: tests/worker/server/memory_use_test.cc.
#include "coordinator/core/memory_estimate.h"

#include <gmock/gmock.h>

#include <filesystem>
#include <fstream>

#include "tests/support/status_matchers.h"
#include "tests/support/temporary_folder.h"

namespace emend::coordinator::core::memory_estimate_test {
namespace {

using test::IsOk;
using test::StatusIs;

constexpr char kAtlas[] = "docs/examples/atlas/model";      // 8 heads
constexpr char kStories[] = "tests/golden/stories260K";     // 8 heads, 4 key/value heads
constexpr char kNanoSort[] = "tests/golden/gpt-nano-sort";  // 3 heads, head of its own

MemoryEstimate Estimate(const std::string& folder, const MemoryQuestion& question) {
  auto estimate = EstimateMemory(folder, question);
  EXPECT_THAT(estimate.status(), IsOk());
  return estimate.ok() ? std::move(estimate).value() : MemoryEstimate();
}

// A golden model's folder with another config.json.
class ChangedConfig {
 public:
  ChangedConfig(const std::string& golden, const std::string& from, const std::string& to) {
    std::filesystem::copy(golden + "/model.safetensors", folder_.path() + "/model.safetensors");
    std::ifstream file(golden + "/config.json");
    std::string text{std::istreambuf_iterator<char>(file), {}};
    const std::size_t place = text.find(from);
    EXPECT_NE(place, std::string::npos);
    std::ofstream(folder_.path() + "/config.json") << text.replace(place, from.size(), to);
  }
  const std::string& path() const { return folder_.path(); }

 private:
  test::TemporaryFolder folder_;
};

TEST(MemoryEstimateTest, OneRankHoldsEveryWeightInFp32) {
  const MemoryEstimate atlas = Estimate(kAtlas, {});
  EXPECT_EQ(atlas.family, "gpt2");
  EXPECT_EQ(atlas.layers, (std::vector<std::int32_t>{0, 1, 2}));
  ASSERT_EQ(atlas.ranks.size(), 1U);
  EXPECT_EQ(atlas.ranks[0].weights_bytes, 4 * atlas.parameters);
  EXPECT_EQ(atlas.ranks[0].statistics_bytes, std::uint64_t{3} * 2 * 8 * 2048 * 2048);
  EXPECT_EQ(atlas.ranks[0].ledgers_bytes, std::uint64_t{(3 * (8 + 4) + 8)} * 2048 * 256);
}

TEST(MemoryEstimateTest, ExpertsAreHeldAllAndPassedInPart) {
  // Four experts of 72 in layers 0 and 1, of which a token passes two, and 32 in layer 2.
  const std::string moe = "tests/golden/families/qwen3_moe";
  const MemoryEstimate model = Estimate(moe, {.layers = {1, 2}});
  EXPECT_EQ(model.ranks[0].weights_bytes, 4 * model.parameters + 4 * 2 * 4 * 64);
  EXPECT_EQ(model.ranks[0].statistics_bytes, std::uint64_t{2} * 8 * (4 * 72 * 72 + 32 * 32));
  EXPECT_EQ(model.ranks[0].ledgers_bytes,
            std::uint64_t{8 + 4} * 24 * (4 * 72 + 32) + std::uint64_t{8} * 24 * 72);
  std::uint64_t statistics = 0;
  for (const RankMemory& rank : Estimate(moe, {.ranks = 2, .layers = {1, 2}}).ranks)
    statistics += rank.statistics_bytes;
  EXPECT_EQ(statistics, model.ranks[0].statistics_bytes);
}

TEST(MemoryEstimateTest, RanksShareWeightsAndStatisticsButNotTheEditsColumns) {
  const MemoryEstimate one = Estimate(kAtlas, {.layers = {1, 3}, .edits = 0, .states = 1});
  const MemoryEstimate four =
      Estimate(kAtlas, {.ranks = 4, .layers = {3, 1, 3}, .edits = 0, .states = 1});
  EXPECT_EQ(four.layers, (std::vector<std::int32_t>{1, 3}));
  std::uint64_t weights = 0, states = 0;
  for (const RankMemory& rank : four.ranks) {
    weights += rank.weights_bytes;
    states += rank.states_bytes;
  }
  EXPECT_GT(weights, one.ranks[0].weights_bytes) << "norms and positions are every rank's";
  EXPECT_LT(weights, one.ranks[0].weights_bytes * 11 / 10);
  EXPECT_EQ(states, one.ranks[0].states_bytes);
  EXPECT_EQ(four.ranks[0].statistics_bytes + four.ranks[1].statistics_bytes,
            one.ranks[0].statistics_bytes);
  EXPECT_EQ(four.ranks[2].statistics_bytes, 0U) << "two layers are dealt to two ranks";
  EXPECT_EQ(four.ranks[3].cache_bytes * 4, Estimate(kAtlas, {}).ranks[0].cache_bytes);
  const std::uint64_t per_edit =
      Estimate(kAtlas, {.layers = {1, 3}, .edits = 1, .states = 1}).ranks[0].states_bytes -
      one.ranks[0].states_bytes;
  EXPECT_GE(per_edit, std::uint64_t{2 * 2 * (2048 + 256)});
  for (const RankMemory& rank :
       Estimate(kAtlas, {.ranks = 4, .layers = {1, 3}, .edits = 10, .states = 1}).ranks) {
    EXPECT_EQ(rank.states_bytes, four.ranks[0].states_bytes + 10 * per_edit)
        << "columns are every rank's, whole";
  }
}

TEST(MemoryEstimateTest, RanksThatCannotShareTheHeadsAreRefusedWithThoseThatCan) {
  const auto refused = EstimateMemory(kStories, {.ranks = 3});
  EXPECT_THAT(refused, StatusIs(StatusCode::kUnsupported, "uneven_heads"));
  EXPECT_THAT(refused.status().message(), testing::HasSubstr("1, 2, 4, 8 ranks would do"));
  EXPECT_THAT(EstimateMemory(kNanoSort, {.ranks = 2}).status().message(),
              testing::HasSubstr("1, 3 ranks would do"));
  EXPECT_THAT(EstimateMemory(kStories, {.ranks = 16}),
              StatusIs(StatusCode::kUnsupported, "uneven_heads"));
  EXPECT_EQ(Estimate(kStories, {.ranks = 8}).ranks.size(), 8U)
      << "neighbours share a key/value head";
}

TEST(MemoryEstimateTest, WhatIsNoModelOrNoLayerIsRefused) {
  EXPECT_THAT(EstimateMemory("docs/no/such/folder", {}), StatusIs(StatusCode::kNotFound));
  EXPECT_THAT(EstimateMemory(kAtlas, {.layers = {6}}), StatusIs(StatusCode::kInvalidArgument));
  EXPECT_THAT(EstimateMemory(kAtlas, {.layers = {-1}}), StatusIs(StatusCode::kInvalidArgument));
  EXPECT_THAT(EstimateMemory(ChangedConfig(kAtlas, "\"gpt2\"", "\"mamba\"").path(), {}),
              StatusIs(StatusCode::kUnsupported, "unknown_family"));
  EXPECT_THAT(EstimateMemory(ChangedConfig(kAtlas, "{", "[").path(), {}),
              StatusIs(StatusCode::kInvalidArgument, "bad_config"));
  const auto without = EstimateMemory(ChangedConfig(kAtlas, "\"n_head\"", "\"heads\"").path(), {});
  EXPECT_THAT(without, StatusIs(StatusCode::kInvalidArgument, "bad_config"));
  EXPECT_THAT(without.status().message(), testing::HasSubstr("n_head"));
}

}  // namespace
}  // namespace emend::coordinator::core::memory_estimate_test
