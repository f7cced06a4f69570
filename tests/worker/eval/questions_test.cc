#include "worker/eval/questions.h"

#include <gtest/gtest.h>

#include <cmath>

#include "tests/worker/eval/generate.h"
#include "tests/worker/model/model_folder.h"

namespace emend::test::questions_test {
namespace {

using namespace worker::eval;
using worker::model::Transformer;
using worker::tokenizer::TokenId;
using Prompts = std::vector<std::vector<TokenId>>;

// By the plain definition: each prompt alone.
Prompts AnswersByDefinition(const Transformer& model, const Prompts& prompts) {
  Prompts answers;
  for (const std::vector<TokenId>& prompt : prompts)
    answers.push_back(
        GenerateTokens(model, prompt, {.max_tokens = kQuestionTokens, .top = 0, .progress = {}})
            ->tokens);
  return answers;
}

// One whole pass a text.
double NllByDefinition(const Transformer& model, const Prompts& prompts, const Prompts& answers) {
  double nll = 0, tokens = 0;
  for (std::size_t i = 0; i < prompts.size(); ++i) {
    std::vector<std::int64_t> text(prompts[i].begin(), prompts[i].end());
    text.insert(text.end(), answers[i].begin(), answers[i].end());
    const at::Tensor log_p =
        at::log_softmax(Forward(model, at::tensor(text).unsqueeze(0)).squeeze(0), -1, at::kDouble);
    for (std::size_t place = prompts[i].size(); place < text.size(); ++place, ++tokens)
      nll -= log_p.select(0, static_cast<std::int64_t>(place) - 1)
                 .select(0, text[place])
                 .item<double>();
  }
  return nll / tokens;
}

class QuestionsTest : public testing::Test {
 protected:
  QuestionsTest() {
    at::Tensor weight = (*model_).DownWeight(LayerIndex(2)).clone();
    weight.view({-1}).slice(0, 0, weight.numel(), 40).neg_();
    other_ = (*model_).WithDownWeights({{LayerIndex(2), weight}});
    for (std::size_t i = 0; i < 8; ++i) {
      std::vector<TokenId>& prompt = prompts_.emplace_back();
      for (std::size_t j = 0; j < 1 + (5 * i) % 17; ++j) {
        const auto place = static_cast<std::int64_t>(3 * i + j);
        prompt.push_back(static_cast<TokenId>(ids_.select(0, place).item<std::int64_t>()));
      }
    }
  }

  const LoadedModel model_ = Load(kStories);
  std::unique_ptr<Transformer> other_;
  const at::Tensor ids_ = GoldenTensor(kStories + "/logits", "greedy_ids");
  Prompts prompts_;
};

TEST_F(QuestionsTest, AreAnsweredTogetherAsEachAlone) {
  ASSERT_OK_AND_ASSIGN(const AnswerPairs answers,
                       AskBoth({.before = *model_, .after = *other_}, prompts_, {}));
  EXPECT_EQ(answers.before, AnswersByDefinition(*model_, prompts_));
  EXPECT_EQ(answers.after, AnswersByDefinition(*other_, prompts_));
  EXPECT_NE(answers.before, answers.after);
  EXPECT_NEAR(answers.nll_before, NllByDefinition(*model_, prompts_, answers.before), 1e-4);
  EXPECT_NEAR(answers.nll_after, NllByDefinition(*model_, prompts_, answers.after), 1e-4);
  EXPECT_NE(answers.nll_before, answers.nll_after);
}

TEST_F(QuestionsTest, AModelAnswersAsItDid) {
  ASSERT_OK_AND_ASSIGN(const AnswerPairs answers,
                       AskBoth({.before = *model_, .after = *model_}, prompts_, {}));
  EXPECT_EQ(answers.before, answers.after);
  EXPECT_EQ(answers.nll_before, answers.nll_after);
}

TEST_F(QuestionsTest, AModelThatSaysNothingHasNoLikelihood) {
  ASSERT_OK_AND_ASSIGN(AnswerPairs answers,
                       AskBoth({.before = *model_, .after = *model_}, prompts_, {}));
  ModelFolder folder(kStories);
  folder.config()["eos_token_id"] = answers.before[3].front();
  const LoadedModel silent = std::move(folder.Load()).value();
  const Prompts one = {prompts_[3]};
  ASSERT_OK_AND_ASSIGN(answers, AskBoth({.before = *silent, .after = *silent}, one, {}));
  EXPECT_EQ(answers.before, Prompts(1)) << "it begins with the end of text";
  EXPECT_TRUE(std::isnan(answers.nll_before));
  EXPECT_TRUE(std::isnan(answers.nll_after));
}

TEST_F(QuestionsTest, AQuestionWithoutRoomForItsAnswerIsRefused) {
  const auto room = static_cast<std::size_t>((*model_).config().context - kQuestionTokens + 1);
  EXPECT_THAT(
      AskBoth({.before = *model_, .after = *model_}, Prompts(1, std::vector<TokenId>(room, 5)), {}),
      IsOk());
  EXPECT_THAT(AskBoth({.before = *model_, .after = *model_},
                      Prompts(1, std::vector<TokenId>(room + 1, 5)), {}),
              StatusIs(StatusCode::kInvalidArgument, "prompt_too_long"));
  EXPECT_THAT(AskBoth({.before = *model_, .after = *model_}, Prompts(1), {}),
              StatusIs(StatusCode::kInvalidArgument, "empty_prompt"));
}

TEST_F(QuestionsTest, EndWhereTheyAreNotWantedAnyMore) {
  const ScoreOptions cancelled = {.tokens_max = 2048, .progress = [](std::int64_t, std::int64_t) {
                                    return Status(StatusCode::kCancelled, "", "no");
                                  }};
  EXPECT_THAT(AskBoth({.before = *model_, .after = *model_}, prompts_, cancelled),
              StatusIs(StatusCode::kCancelled));
}

TEST(QuestionListTest, IsAHandfulOfOwnWords) {
  EXPECT_EQ(Questions().size(), 8U);
  for (const std::string_view question : Questions())
    EXPECT_TRUE(question.ends_with('?') || question.ends_with('.')) << question;
}

}  // namespace
}  // namespace emend::test::questions_test
