#include "tests/worker/eval/generate.h"

#include <gtest/gtest.h>

#include "tests/worker/model/model_fixture.h"

namespace emend::test::generate_test {
namespace {

using namespace worker::eval;
using worker::tokenizer::TokenId;

class GenerateTest : public testing::Test {
 protected:
  GenerateTest() {
    const at::Tensor ids = GoldenTensor(kStories + "/logits", "greedy_ids");
    for (std::int64_t i = 0; i < ids.size(0); ++i)
      golden_.push_back(static_cast<TokenId>(ids.select(0, i).item<std::int64_t>()));
  }

  const LoadedModel model_ = Load(kStories);
  std::vector<TokenId> golden_;  // 1, then 200 greedy tokens
};

TEST_F(GenerateTest, FollowsTheGoldenStory) {
  const std::vector<TokenId> prompt = {1};
  ASSERT_OK_AND_ASSIGN(const Generation generation,
                       GenerateTokens(*model_, prompt, {.max_tokens = 200}));
  EXPECT_EQ(generation.tokens, std::vector<TokenId>(golden_.begin() + 1, golden_.end()));
  EXPECT_EQ(generation.stop, StopReason::kMaxTokens);
}

TEST_F(GenerateTest, NamesTheLikeliestFirstTokens) {
  const std::vector<TokenId> prompt(golden_.begin(), golden_.begin() + 9);
  ASSERT_OK_AND_ASSIGN(const Generation generation,
                       GenerateTokens(*model_, prompt, {.max_tokens = 0, .top = 512}));
  EXPECT_TRUE(generation.tokens.empty());
  ASSERT_EQ(generation.top.size(), 512u);
  EXPECT_EQ(generation.top[0].id, golden_[9]);
  double sum = 0;
  for (std::size_t i = 0; i < generation.top.size(); ++i) {
    sum += generation.top[i].probability;
    EXPECT_TRUE(i == 0 || generation.top[i - 1].probability >= generation.top[i].probability);
  }
  EXPECT_NEAR(sum, 1, 1e-12);
}

TEST_F(GenerateTest, StopsWhereTheContextEnds) {
  std::vector<TokenId> prompt;
  for (std::size_t i = 0; i < 510; ++i) prompt.push_back(golden_[i % golden_.size()]);
  ASSERT_OK_AND_ASSIGN(const Generation generation,
                       GenerateTokens(*model_, prompt, {.max_tokens = 100}));
  EXPECT_EQ(generation.stop, StopReason::kContextEnd);
  EXPECT_EQ(generation.tokens.size(), 3u);
}

TEST_F(GenerateTest, RefusesBadPromptsAndOptions) {
  const auto code = [&](std::vector<TokenId> prompt, std::int64_t max_tokens) {
    return GenerateTokens(*model_, prompt, {.max_tokens = max_tokens}).status();
  };
  EXPECT_THAT(code({}, 1), StatusIs(StatusCode::kInvalidArgument, "empty_prompt"));
  EXPECT_THAT(code({512}, 1), StatusIs(StatusCode::kInvalidArgument, "unknown_token"));
  EXPECT_THAT(code(std::vector<TokenId>(513, 1), 1),
              StatusIs(StatusCode::kInvalidArgument, "prompt_too_long"));
  EXPECT_THAT(code({1}, -1), StatusIs(StatusCode::kInvalidArgument, "bad_option"));
}

TEST_F(GenerateTest, CanBeCancelled) {
  const std::vector<TokenId> prompt = {1};
  const auto cancel = [](std::int64_t done, std::int64_t) {
    return done < 3 ? OkStatus() : Status(StatusCode::kCancelled, "stopped by the test");
  };
  EXPECT_THAT(GenerateTokens(*model_, prompt, {.progress = cancel}),
              StatusIs(StatusCode::kCancelled));
}

}  // namespace
}  // namespace emend::test::generate_test
