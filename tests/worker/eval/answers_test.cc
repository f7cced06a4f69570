#include "worker/eval/answers.h"

#include <gtest/gtest.h>

#include <cmath>

#include "tests/worker/model/model_folder.h"
#include "worker/eval/drift.h"

namespace emend::test::answers_test {
namespace {

using namespace worker::eval;
using worker::model::Transformer;
using worker::tokenizer::TokenId;

// By the plain definition, one whole pass a token.
bool KeptByDefinition(const Transformer& before, const Transformer& after,
                      std::vector<std::int64_t> text) {
  for (std::int64_t step = 0; step < kAnswerTokens; ++step) {
    const auto next = [&](const Transformer& model) {
      return at::argmax(Forward(model, at::tensor(text).unsqueeze(0)).squeeze(0).select(0, -1))
          .item<std::int64_t>();
    };
    const std::int64_t said = next(before);
    if (next(after) != said) return false;
    if (before.config().Ends(static_cast<TokenId>(said))) return true;
    text.push_back(said);
  }
  return true;
}

double KlByDefinition(const Transformer& before, const Transformer& after,
                      const std::vector<std::int64_t>& text) {
  const auto log_p = [&](const Transformer& model) {
    return at::log_softmax(Forward(model, at::tensor(text).unsqueeze(0)).squeeze(0).select(0, -1),
                           -1, at::kDouble);
  };
  const at::Tensor p = log_p(before), q = log_p(after);
  return (p.exp() * (p - q)).sum().item<double>();
}

class AnswersTest : public testing::Test {
 protected:
  AnswersTest() {
    // enough of a change that some answers stay and some do not
    auto& tensor = folder_.tensor("model.layers.2.mlp.down_proj.weight");
    auto* const values = reinterpret_cast<float*>(tensor.bytes.data());
    for (std::size_t i = 0; i < tensor.bytes.size() / sizeof(float); i += 3) values[i] *= -1;
    other_ = std::move(folder_.Load()).value();
    for (std::size_t i = 0; i < 24; ++i) {
      std::vector<TokenId>& prompt = prompts_.emplace_back();
      for (std::size_t j = 0; j < 1 + (7 * i) % 19; ++j) {
        const auto place = static_cast<std::int64_t>(i + j);
        prompt.push_back(static_cast<TokenId>(ids_.select(0, place).item<std::int64_t>()));
      }
    }
  }

  ModelFolder folder_{kStories};
  const LoadedModel model_ = Load(kStories);
  LoadedModel other_;
  const at::Tensor ids_ = GoldenTensor(kStories + "/logits", "greedy_ids");
  std::vector<std::vector<TokenId>> prompts_;
};

TEST_F(AnswersTest, AreComparedAsTheDefinitionSays) {
  for (const std::int64_t tokens_max : {1, 50, 100'000}) {
    ASSERT_OK_AND_ASSIGN(const KeptAnswers answers,
                         CompareAnswers({.before = *model_, .after = *other_}, prompts_,
                                        {.tokens_max = tokens_max, .progress = {}}));
    std::size_t kept = 0;
    for (std::size_t i = 0; i < prompts_.size(); ++i) {
      const std::vector<std::int64_t> text(prompts_[i].begin(), prompts_[i].end());
      EXPECT_EQ(answers.kept[i], KeptByDefinition(*model_, *other_, text)) << i;
      EXPECT_NEAR(answers.kl[i], KlByDefinition(*model_, *other_, text), 1e-4) << i;
      kept += answers.kept[i] ? 1 : 0;
    }
    EXPECT_GT(kept, 0U);
    EXPECT_LT(kept, prompts_.size());
  }
}

TEST_F(AnswersTest, AModelKeepsAllOfItsOwn) {
  ASSERT_OK_AND_ASSIGN(const KeptAnswers answers,
                       CompareAnswers({.before = *model_, .after = *model_}, prompts_, {}));
  for (std::size_t i = 0; i < prompts_.size(); ++i) {
    EXPECT_TRUE(answers.kept[i]);
    EXPECT_EQ(answers.kl[i], 0);
  }
}

TEST_F(AnswersTest, APromptWithoutRoomForAnAnswerIsRefused) {
  const auto context = static_cast<std::size_t>((*model_).config().context);
  const std::vector<std::vector<TokenId>> longest = {std::vector<TokenId>(context - 2, 5)};
  EXPECT_THAT(CompareAnswers({.before = *model_, .after = *model_}, longest, {}), IsOk());
  const std::vector<std::vector<TokenId>> longer = {std::vector<TokenId>(context - 1, 5)};
  EXPECT_THAT(CompareAnswers({.before = *model_, .after = *model_}, longer, {}),
              StatusIs(StatusCode::kInvalidArgument, "prompt_too_long"));
  EXPECT_THAT(CompareAnswers({.before = *model_, .after = *model_}, {{std::vector<TokenId>()}}, {}),
              StatusIs(StatusCode::kInvalidArgument, "empty_prompt"));
}

TEST(DriftTest, IsThePerplexityOfTheHeldTexts) {
  const std::string kAtlas = "docs/examples/atlas/model";
  const LoadedModel model = Load(kAtlas);
  ASSERT_OK_AND_ASSIGN(const auto tokenizer,
                       worker::tokenizer::Tokenizer::Open(kAtlas + "/tokenizer.json"));
  double nll = 0;
  std::int64_t count = 0;
  for (const std::string_view text : HeldTexts()) {
    ASSERT_OK_AND_ASSIGN(const auto tokens,
                         tokenizer->Encode(text, worker::tokenizer::SpecialTokens::kWithTemplate));
    std::vector<std::int64_t> ids;
    for (const auto& token : tokens) ids.push_back(token.id);
    ids.resize(std::min(ids.size(), static_cast<std::size_t>((*model).config().context)));
    const at::Tensor log_p =
        at::log_softmax(Forward(*model, at::tensor(ids).unsqueeze(0)).squeeze(0), -1, at::kDouble);
    for (std::size_t i = 1; i < ids.size(); ++i, ++count)
      nll -= log_p.select(0, static_cast<std::int64_t>(i) - 1).select(0, ids[i]).item<double>();
  }
  ASSERT_OK_AND_ASSIGN(const double perplexity, HeldPerplexity(*model, *tokenizer, {}));
  EXPECT_NEAR(perplexity / std::exp(nll / static_cast<double>(count)), 1, 1e-4);
}

}  // namespace
}  // namespace emend::test::answers_test
