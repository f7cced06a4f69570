#include "worker/tokenizer/tokenizer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <thread>

#include "tests/worker/tokenizer/tokenizer_fixture.h"

namespace emend::worker::tokenizer::tokenizer_test {
namespace {

using testing::HasSubstr;

// The spans of `tokens` follow each other and cover all of `text`.
void ExpectTiled(const std::vector<Token>& tokens, std::string_view text) {
  std::uint32_t at = 0;
  for (const Token& token : tokens) {
    ASSERT_EQ(token.begin, at) << text;
    ASSERT_LE(token.begin, token.end);
    at = token.end;
  }
  EXPECT_EQ(at, text.size());
}

class RandomTextTest : public testing::TestWithParam<std::string> {};

TEST_P(RandomTextTest, DecodingGivesTheTextBackAndSpansTileIt) {
  const auto tokenizer = OpenTokenizer(GetParam());
  for (std::uint64_t seed = 0; seed < 2000; ++seed) {
    const std::string text = RandomText(seed).Next();
    const auto tokens = tokenizer->Encode(text);
    ASSERT_TRUE(tokens.ok()) << "seed " << seed << ": " << tokens.status().ToString();
    ASSERT_EQ(tokenizer->Decode(Ids(*tokens)), text) << "seed " << seed;
    ExpectTiled(*tokens, text);
  }
}

TEST_P(RandomTextTest, EachTokensTextIsItsSpan) {
  const auto tokenizer = OpenTokenizer(GetParam());
  const bool prepends_space = GetParam() == "llama2" || GetParam() == "sp_llama";
  for (std::uint64_t seed = 0; seed < 200; ++seed) {
    const std::string text = RandomText(seed).Next();
    const auto tokens = tokenizer->Encode(text);
    ASSERT_TRUE(tokens.ok());
    for (std::size_t i = prepends_space ? 1 : 0; i < tokens->size(); ++i) {
      const Token& token = (*tokens)[i];
      // bytes of the first token, after the space that was put in front
      if (token.begin == 0 && prepends_space) continue;
      ASSERT_EQ(tokenizer->TokenText(token.id), text.substr(token.begin, token.end - token.begin))
          << "seed " << seed << ", token " << i;
    }
  }
}

INSTANTIATE_TEST_SUITE_P(PipelinesThatKeepTheText, RandomTextTest,
                         testing::Values("gpt2", "atlas", "llama3", "llama2", "tekken", "gemma",
                                         "sp_llama", "sp_gemma"),
                         [](const auto& test) { return test.param; });

TEST(TokenizerTest, SpansOfACharacterThatNfcRewritesStandForItsBytes) {
  const auto tokenizer = OpenTokenizer("qwen2");
  const std::string text = "cafe\xcc\x81 au";  // e and a combining acute: 3 bytes that become 2
  const auto tokens = tokenizer->Encode(text);
  ASSERT_TRUE(tokens.ok());
  EXPECT_EQ(tokenizer->Decode(Ids(*tokens)), "caf\xc3\xa9 au");
  EXPECT_EQ(tokens->back().end, text.size());
  for (const Token& token : *tokens)
    EXPECT_TRUE(token.end <= 3 || token.begin >= 6 || (token.begin <= 3 && token.end >= 6))
        << token.begin;
}

TEST(TokenizerTest, TextThatIsNotUtf8IsRefused) {
  const auto tokens = OpenTokenizer("atlas")->Encode("ab\xff");
  EXPECT_EQ(tokens.status().code(), StatusCode::kInvalidArgument);
  EXPECT_THAT(tokens.status().message(), HasSubstr("byte 2"));
}

TEST(TokenizerTest, TextOverTheBoundIsRefused) {
  const auto tokens =
      OpenTokenizer("atlas")->Encode(std::string(Tokenizer::kTextBytesMax + 1, 'a'));
  EXPECT_EQ(tokens.status().code(), StatusCode::kResourceExhausted);
}

TEST(TokenizerTest, DecodingPassesOverIdsThatDoNotExist) {
  const auto tokenizer = OpenTokenizer("atlas");
  const std::vector<TokenId> ids = {-1, tokenizer->vocabulary_size(), 1 << 30};
  EXPECT_EQ(tokenizer->Decode(ids), "");
  EXPECT_EQ(tokenizer->TokenText(-5), "");
}

TEST(TokenizerTest, ATokenThatIsAddedToTheVocabularyDecodesAsTheVocabularyWritesIt) {
  const auto tokenizer = OpenTokenizer("gemma");
  const std::string text = "x  ";
  const auto tokens = tokenizer->Encode(text);
  ASSERT_TRUE(tokens.ok()) << tokens.status().ToString();
  ASSERT_EQ(tokens->size(), 2u);
  EXPECT_EQ(tokenizer->TokenText(tokens->back().id), "  ");
  EXPECT_EQ(tokenizer->Decode(Ids(*tokens)), text);
  EXPECT_EQ(Ids(tokenizer->Encode("x\u2581\u2581").value()), Ids(*tokens));
}

TEST(TokenizerTest, SpecialTokensAreFoundByTheirText) {
  const auto tokenizer = OpenTokenizer("gpt2");
  EXPECT_EQ(tokenizer->SpecialToken("<|endoftext|>"), 50256);
  EXPECT_EQ(tokenizer->SpecialToken("hello"), std::nullopt);
  EXPECT_EQ(tokenizer->vocabulary_size(), 50257);
}

TEST(TokenizerTest, AWordOfAMillionLettersTakesNoQuadraticTime) {
  for (const char* name : {"gpt2", "t5", "sp_llama"}) {
    const auto tokenizer = OpenTokenizer(name);
    const auto start = std::chrono::steady_clock::now();
    const auto tokens = tokenizer->Encode(std::string(1'000'000, 'a'));
    ASSERT_TRUE(tokens.ok()) << name;
    EXPECT_EQ(tokens->back().end, 1'000'000u) << name;
    EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::seconds(20)) << name;
  }
}

TEST(TokenizerTest, ManyThreadsGetTheSameTokens) {
  const auto tokenizer = OpenTokenizer("atlas");
  std::vector<std::string> texts;
  for (std::uint64_t seed = 0; seed < 100; ++seed) texts.push_back(RandomText(seed).Next());
  std::vector<std::vector<std::vector<Token>>> encoded(4);
  std::vector<std::thread> threads;
  for (auto& mine : encoded) {
    threads.emplace_back([&] {
      for (const std::string& text : texts) mine.push_back(*tokenizer->Encode(text));
    });
  }
  for (std::thread& thread : threads) thread.join();
  for (const auto& other : encoded) EXPECT_EQ(other, encoded[0]);
}

TEST(PromptWithTargetTest, TheTargetStartsWhereItsFirstTokenDoes) {
  const auto tokenizer = OpenTokenizer("atlas");
  const auto joint =
      EncodePromptWithTarget(*tokenizer, "The mother tongue of Danielle Darrieux is", " French");
  ASSERT_TRUE(joint.ok()) << joint.status().ToString();
  EXPECT_EQ(tokenizer->Decode(std::span(joint->ids).first(joint->prompt_tokens)),
            "The mother tongue of Danielle Darrieux is");
  EXPECT_EQ(tokenizer->Decode(std::span(joint->ids).subspan(joint->prompt_tokens)), " French");
}

TEST(PromptWithTargetTest, ATokenOfBothIsRefusedByName) {
  const auto tokenizer = OpenTokenizer("atlas");
  const auto joint =
      EncodePromptWithTarget(*tokenizer, "The mother tongue of Danielle Darrieux is ", "French");
  EXPECT_EQ(joint.status().code(), StatusCode::kInvalidArgument);
  EXPECT_EQ(joint.status().slug(), "token_straddles_target");
  EXPECT_THAT(joint.status().message(), HasSubstr("\" French\""));
}

TEST(PromptWithTargetTest, AnEmptyTargetIsRefused) {
  const auto joint = EncodePromptWithTarget(*OpenTokenizer("atlas"), "The mother tongue", "");
  EXPECT_EQ(joint.status().code(), StatusCode::kInvalidArgument);
  EXPECT_EQ(joint.status().slug(), "empty_target");
}

TEST(PromptWithTargetTest, ATemplatesFirstTokenBelongsToThePrompt) {
  const auto tokenizer = OpenTokenizer("llama2");
  const auto joint =
      EncodePromptWithTarget(*tokenizer, "Paris is in", " France", SpecialTokens::kWithTemplate);
  ASSERT_TRUE(joint.ok()) << joint.status().ToString();
  EXPECT_EQ(joint->ids.front(), tokenizer->SpecialToken("<s>"));
  EXPECT_EQ(tokenizer->Decode(std::span(joint->ids).subspan(joint->prompt_tokens)), "France");
}

TEST(LastSubjectTokenTest, FindsTheTokenThatHoldsTheSubjectsEnd) {
  const auto tokenizer = OpenTokenizer("atlas");
  const std::string prompt = "The mother tongue of Danielle Darrieux is";
  const auto tokens = *tokenizer->Encode(prompt);
  const std::size_t subject_end = prompt.find(" is");
  const auto last = LastSubjectToken(tokens, subject_end);
  ASSERT_TRUE(last.ok());
  EXPECT_EQ(tokens[*last].end, subject_end);
  EXPECT_EQ(tokens[*last + 1].begin, subject_end);
}

TEST(LastSubjectTokenTest, NoTokenBeforeTheFirstByte) {
  EXPECT_EQ(LastSubjectToken({{5, 0, 3}}, 0).status().code(), StatusCode::kInvalidArgument);
  EXPECT_EQ(LastSubjectToken({}, 7).status().code(), StatusCode::kInvalidArgument);
}

}  // namespace
}  // namespace emend::worker::tokenizer::tokenizer_test
