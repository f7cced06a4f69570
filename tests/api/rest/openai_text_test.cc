#include "api/rest/openai.h"

#include <gtest/gtest.h>

#include <cmath>

#include "tests/support/status_matchers.h"

namespace emend::api::rest::openai_text_test {
namespace {

using nlohmann::ordered_json;
using worker::protocol::PieceToken;

ordered_json TopOf(PieceToken token) {
  CompletionChoice choice;
  choice.tokens = {std::move(token)};
  const ordered_json rendered =
      RenderCompletion(kTextShape, {}, {choice}, 1, /*with_logprobs=*/true);
  return rendered["choices"][0]["logprobs"]["top_logprobs"][0];
}

TEST(OpenAiText, TokensThatPrintAlikeKeepNamesOfTheirOwn) {
  const ordered_json top =
      TopOf({.token = "",
             .log_probability = std::log(0.5),
             .text_begin = 0,
             .top = {{"", 0.5}, {">", 0.2}, {"", 0.1}, {"", 0.05}, {"a", 0.04}}});
  EXPECT_EQ(top.size(), 5U) << top;
  EXPECT_EQ(top.at(""), std::log(0.5)) << "the token itself keeps its own value";
  EXPECT_EQ(top.at("bytes:"), std::log(0.1));
  EXPECT_EQ(top.at("bytes:#2"), std::log(0.05));
}

Result<CompletionBody> Read(const char* prompt) {
  return kTextShape.read({{"model", "atlas"}, {"prompt", nlohmann::json::parse(prompt)}});
}

TEST(OpenAiText, APromptIsATextItsTokensOrAListOfEither) {
  using Prompts = std::vector<coordinator::answers::Prompt>;
  const auto prompts = [](const char* sent) { return Read(sent).value().request.prompts; };
  EXPECT_EQ(prompts("\"a\""), (Prompts{{"a", {}}}));
  EXPECT_EQ(prompts("[\"a\", \"b\"]"), (Prompts{{"a", {}}, {"b", {}}}));
  EXPECT_EQ(prompts("[5, 0.0, 9]"), (Prompts{{"", {5, 0, 9}}}));
  EXPECT_EQ(prompts("[[5], [2147483647, 9]]"), (Prompts{{"", {5}}, {"", {2147483647, 9}}}));
}

TEST(OpenAiText, AnyOtherPromptIsRefused) {
  for (const char* prompt :
       {"[]", "[[]]", "[5, -1]", "[2147483648]", "[18446744073709551615]", "[5.5]", "[5, \"a\"]",
        "[\"a\", 5]", "[[5], \"a\"]", "[[5], []]", "5", "{}", "[[[5]]]", "[null]"}) {
    EXPECT_THAT(Read(prompt).status(), test::StatusIs(StatusCode::kInvalidArgument)) << prompt;
  }
}

TEST(OpenAiText, OfAnEchoTheFirstTokenHasNoProbability) {
  CompletionChoice choice;
  choice.tokens = {{.token = "Ann", .log_probability = {}, .text_begin = 0, .top = {}},
                   {.token = " is", .log_probability = -0.5, .text_begin = 3, .top = {}}};
  const ordered_json rendered =
      RenderCompletion(kTextShape, {}, {choice}, 1, /*with_logprobs=*/true);
  EXPECT_EQ(rendered["choices"][0]["logprobs"],
            ordered_json::parse(R"({"tokens": ["Ann", " is"], "token_logprobs": [null, -0.5],
                                    "top_logprobs": [null, {}], "text_offset": [0, 3]})"));
}

TEST(OpenAiText, OneThatIsLikelierThanTheTokenAndPrintsAlikeGivesWay) {
  const ordered_json top = TopOf({.token = "x",
                                  .log_probability = std::log(0.25),
                                  .text_begin = 0,
                                  .top = {{"x", 0.5}, {"x", 0.25}}});
  EXPECT_EQ(top.at("x"), std::log(0.25));
  EXPECT_EQ(top.at("bytes:\\x78"), std::log(0.5));
}

TEST(OpenAiText, ATokenThatIsNoneOfTheLikeliestIsOneMore) {
  const ordered_json top = TopOf({.token = "y",
                                  .log_probability = std::log(0.01),
                                  .text_begin = 0,
                                  .top = {{"x", 0.5}, {"\xe4", 0.25}}});
  EXPECT_EQ(top.size(), 3U);
  EXPECT_EQ(top.at("y"), std::log(0.01));
  EXPECT_EQ(top.at("bytes:\\xe4"), std::log(0.25));
}

}  // namespace
}  // namespace emend::api::rest::openai_text_test
