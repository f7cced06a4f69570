#include "worker/eval/score.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "tests/worker/model/model_fixture.h"

namespace emend::test::score_test {
namespace {

using namespace worker::eval;
using worker::tokenizer::TokenId;

// One target by the plain definition: a whole pass over prompt and target, alone.
TargetScore Reference(const worker::model::Transformer& model, const std::vector<TokenId>& prompt,
                      const std::vector<TokenId>& target) {
  std::vector<std::int64_t> text(prompt.begin(), prompt.end());
  text.insert(text.end(), target.begin(), target.end());
  const at::Tensor log_p =
      at::log_softmax(Forward(model, at::tensor(text).unsqueeze(0)), -1).squeeze(0);
  TargetScore score{.nll = 0, .argmax = true};
  for (std::size_t j = 0; j < target.size(); ++j) {
    const at::Tensor at_place = log_p.select(0, static_cast<std::int64_t>(prompt.size() + j) - 1);
    score.nll -= at_place.select(0, target[j]).item<double>() / static_cast<double>(target.size());
    score.argmax = score.argmax && at::argmax(at_place).item<std::int64_t>() == target[j];
  }
  return score;
}

class ScoreTest : public testing::Test {
 protected:
  std::vector<TokenId> Story(std::size_t begin, std::size_t count) const {
    std::vector<TokenId> tokens;
    for (std::size_t i = begin; i < begin + count; ++i)
      tokens.push_back(
          static_cast<TokenId>(ids_.select(0, static_cast<std::int64_t>(i)).item<std::int64_t>()));
    return tokens;
  }
  // Prompts of many lengths, each with targets of one to five tokens: the story's own continuation
  // among others.
  std::vector<ScoreRequest> ManyRequests() const {
    std::vector<ScoreRequest> requests;
    for (std::size_t i = 0; i < 24; ++i) {
      const std::size_t length = 1 + (7 * i) % 23;
      ScoreRequest request{
          .prompt = Story(0, length),
          .targets = {Story(length, 1 + i % 5), Story(60 + i, 1 + (i + 2) % 4), Story(40 + i, 2)}};
      request.targets.resize(1 + i % 3);
      requests.push_back(std::move(request));
    }
    return requests;
  }

  const LoadedModel model_ = Load(kStories);
  const at::Tensor ids_ = GoldenTensor(kStories + "/logits", "greedy_ids");
};

TEST_F(ScoreTest, BatchedScoresEqualTheDefinition) {
  const std::vector<ScoreRequest> requests = ManyRequests();
  for (const std::int64_t tokens_max : {1, 100, 100'000}) {
    ASSERT_OK_AND_ASSIGN(
        const auto scores,
        ScoreTargets(*model_, requests, {.tokens_max = tokens_max, .progress = {}}));
    int argmax_count = 0;
    for (std::size_t i = 0; i < requests.size(); ++i) {
      for (std::size_t j = 0; j < requests[i].targets.size(); ++j) {
        const TargetScore expected = Reference(*model_, requests[i].prompt, requests[i].targets[j]);
        EXPECT_NEAR(scores[i][j].nll, expected.nll, 1e-4)
            << "request " << i << ", target " << j << ", at most " << tokens_max << " tokens";
        EXPECT_EQ(scores[i][j].argmax, expected.argmax);
        argmax_count += expected.argmax ? 1 : 0;
      }
    }
    EXPECT_GE(argmax_count, 20);
  }
}

TEST_F(ScoreTest, ProgressEndsAtTheTotalAndCanCancel) {
  const std::vector<ScoreRequest> requests = ManyRequests();
  std::int64_t last = 0;
  const auto follow = [&](std::int64_t done, std::int64_t total) {
    EXPECT_GT(done, last);
    EXPECT_EQ(total, 24);
    last = done;
    return OkStatus();
  };
  EXPECT_THAT(ScoreTargets(*model_, requests, {.tokens_max = 64, .progress = follow}), IsOk());
  EXPECT_EQ(last, 24);
  const auto cancel = [](std::int64_t, std::int64_t) {
    return Status(StatusCode::kCancelled, "stopped by the test");
  };
  EXPECT_THAT(ScoreTargets(*model_, requests, {.tokens_max = 64, .progress = cancel}),
              StatusIs(StatusCode::kCancelled));
}

TEST_F(ScoreTest, RefusesWhatCannotBeScored) {
  const auto score = [&](std::vector<TokenId> prompt, std::vector<TokenId> target) {
    const std::vector<ScoreRequest> requests = {
        {.prompt = std::move(prompt), .targets = {std::move(target)}}};
    return ScoreTargets(*model_, requests, {}).status();
  };
  EXPECT_THAT(score({}, {1}), StatusIs(StatusCode::kInvalidArgument, "empty_prompt"));
  EXPECT_THAT(score({1}, {}), StatusIs(StatusCode::kInvalidArgument, "empty_target"));
  EXPECT_THAT(score({512}, {1}), StatusIs(StatusCode::kInvalidArgument, "unknown_token"));
  EXPECT_THAT(score({1}, {-1}), StatusIs(StatusCode::kInvalidArgument, "unknown_token"));
  EXPECT_THAT(score(std::vector<TokenId>(512, 5), {1, 2}),
              StatusIs(StatusCode::kInvalidArgument, "text_too_long"));
  EXPECT_THAT(score(std::vector<TokenId>(512, 5), {1}), IsOk());
}

}  // namespace
}  // namespace emend::test::score_test
