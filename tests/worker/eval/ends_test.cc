// Where a text ends: at any of the ids that the model's files name, on every path.
#include <gmock/gmock.h>

#include "tests/worker/eval/completion_fixture.h"
#include "tests/worker/model/model_folder.h"
#include "tests/worker/tokenizer/tokenizer_fixture.h"
#include "worker/eval/sample.h"

namespace emend::test::ends_test {
namespace {

using namespace worker::eval;
using worker::tokenizer::TokenId;

const std::vector<TokenId> kPrompt = {1, 403, 407, 261};

// The small Llama, with other ends than its own.
LoadedModel LoadWithEnds(const std::vector<TokenId>& ends) {
  ModelFolder folder(kStories);
  folder.config()["eos_token_id"] = ends;
  auto loaded = folder.Load();
  EMEND_CHECK(loaded.ok(), loaded.status().ToString());
  return std::move(*loaded);
}

class EndsTest : public testing::Test {
 protected:
  const std::unique_ptr<worker::tokenizer::Tokenizer> tokenizer_ =
      worker::tokenizer::OpenTokenizer("llama2");
  // Twelve tokens that nothing ends, and the first place of the last kind of token among them.
  const std::vector<TokenId> greedy_ =
      GenerateTokens(*LoadWithEnds({}), kPrompt, {.max_tokens = 12}).value().tokens;
  const TokenId end_ = greedy_.back();
  const std::vector<TokenId> before_ = {greedy_.begin(), std::ranges::find(greedy_, end_)};
};

TEST_F(EndsTest, AnyIdOfTheListEndsAnAnswer) {
  ASSERT_EQ(greedy_.size(), 12U);
  ASSERT_FALSE(before_.empty());
  const LoadedModel model = LoadWithEnds({511, end_, 510});
  const Generation found = GenerateTokens(*model, kPrompt, {.max_tokens = 12}).value();
  EXPECT_EQ(found.tokens, before_);
  EXPECT_EQ(found.stop, StopReason::kEndOfText);
}

TEST_F(EndsTest, AnyIdOfTheListEndsACompletion) {
  const LoadedModel model = LoadWithEnds({511, end_, 510});
  LiveStates states(*model, 1);
  CompletionEngine engine(*model, *tokenizer_, states.Finder(), {});
  const auto heard = std::make_shared<Heard>();
  ASSERT_THAT(engine.Add({.state = StateOf(0),
                          .prompt = kPrompt,
                          .tokens_max = 12,
                          .sampling = {.temperature = 0},
                          .stop = {},
                          .logprobs = 0},
                         ListenerOf(heard)),
              IsOk());
  while (*engine.Step()) continue;
  EXPECT_EQ(heard->ids(), before_);
  ASSERT_TRUE(heard->end && heard->end->ok());
  EXPECT_EQ((*heard->end)->reason, FinishReason::kStop);
}

TEST_F(EndsTest, AnyIdOfTheListEndsATextThatIsMadeUp) {
  const auto drawn = [&](const LoadedModel& model) {
    return SampleTexts(*model, *tokenizer_, "", {.count = 1, .max_tokens = 12, .top_k = 1})
        .value()
        .tokens;
  };
  const std::vector<TokenId> start = {1};
  const std::vector<TokenId> free =
      GenerateTokens(*LoadWithEnds({}), start, {.max_tokens = 12}).value().tokens;
  EXPECT_EQ(drawn(LoadWithEnds({})), 12);
  EXPECT_EQ(drawn(LoadWithEnds({510, free.back()})),
            std::ranges::find(free, free.back()) - free.begin());
}

TEST_F(EndsTest, ABeginningWithoutARowIsRefused) {
  ModelFolder folder(kStories);
  folder.config()["bos_token_id"] = 512;
  const auto model = folder.Load();
  ASSERT_THAT(model, IsOk());
  const Status refused = SampleTexts(**model, *worker::tokenizer::OpenTokenizer("atlas"), "",
                                     {.count = 1, .max_tokens = 4})
                             .status();
  EXPECT_THAT(refused, StatusIs(StatusCode::kInvalidArgument, "unknown_token"));
  EXPECT_THAT(refused.message(), testing::HasSubstr("512"));
}

}  // namespace
}  // namespace emend::test::ends_test
