#include "worker/eval/completion_text.h"

#include <gtest/gtest.h>

#include <random>

#include "storage/base/utf8.h"
#include "tests/support/status_matchers.h"
#include "tests/worker/tokenizer/tokenizer_fixture.h"

namespace emend::test::completion_text_test {
namespace {

using namespace worker::eval;
using worker::tokenizer::OpenTokenizer;
using worker::tokenizer::SpecialTokens;
using worker::tokenizer::TokenId;
using worker::tokenizer::Tokenizer;

std::vector<TokenId> Encode(const Tokenizer& tokenizer, const std::string& text,
                            SpecialTokens special = SpecialTokens::kPlain) {
  return worker::tokenizer::Ids(*tokenizer.Encode(text, special));
}

std::optional<TokenLogprob> Named(TokenId token) {
  return TokenLogprob{
      .token = {.id = token, .text = {}, .logprob = -1}, .text_begin = 0, .top = {}};
}

// What comes out at each token, and at the end.
struct Told {
  std::vector<std::string> pieces;
  std::vector<TokenLogprob> tokens;
  bool stopped = false;
  std::string text() const {
    std::string all;
    for (const std::string& piece : pieces) all += piece;
    return all;
  }
};

Told Tell(CompletionText text, const std::vector<TokenId>& tokens) {
  Told told;
  const auto take = [&] {
    CompletionPiece piece = text.Take();
    told.pieces.push_back(piece.text);
    told.tokens.insert(told.tokens.end(), piece.tokens.begin(), piece.tokens.end());
  };
  for (const TokenId token : tokens) {
    text.Add(token, Named(token));
    if (text.stopped()) break;
    take();
  }
  text.Finish();
  take();
  told.stopped = text.stopped();
  return told;
}

class CompletionTextTest : public testing::Test {
 protected:
  std::vector<TokenId> Tokens(const std::string& text) const { return Encode(*atlas_, text); }
  Told TellAtlas(const std::vector<TokenId>& tokens, std::vector<std::string> stop = {}) const {
    return Tell(CompletionText(*atlas_, Tokens("The prompt"), std::move(stop)), tokens);
  }
  const std::unique_ptr<Tokenizer> atlas_ = OpenTokenizer("atlas");
};

TEST_F(CompletionTextTest, EachTokenIsAPieceAndKeepsItsSpace) {
  const std::vector<TokenId> tokens = Tokens(" the capital of France");
  const Told told = TellAtlas(tokens);
  ASSERT_EQ(told.pieces.size(), tokens.size() + 1);
  for (std::size_t i = 0; i < tokens.size(); ++i)
    EXPECT_EQ(told.pieces[i], atlas_->TokenText(tokens[i]));
  EXPECT_EQ(told.text(), " the capital of France");
}

TEST_F(CompletionTextTest, AnEchoedPromptIsTextWithoutWhatStandsInFront) {
  const auto llama = OpenTokenizer("llama2");
  const std::vector<TokenId> prompt = Encode(*llama, "one.two", SpecialTokens::kWithTemplate);
  ASSERT_EQ(llama->TokenText(prompt[0]), "<s>");
  CompletionText text(*llama, {}, {"."});
  for (const TokenId token : prompt) text.Echo(token, Named(token));
  EXPECT_FALSE(text.stopped()) << "no stop string is looked for in it";
  const Told told = Tell(std::move(text), Encode(*llama, "three. four"));
  EXPECT_TRUE(told.stopped);
  EXPECT_EQ(told.text().substr(0, 7), "one.two");
  EXPECT_EQ(told.text().substr(told.text().size() - 5), "three");
  ASSERT_GT(told.tokens.size(), prompt.size());
  EXPECT_EQ(told.tokens[0].token.text, "<s>");
  EXPECT_EQ(told.tokens[0].text_begin, 0);
  EXPECT_EQ(told.tokens[1].text_begin, 0);
  EXPECT_EQ(told.tokens[prompt.size()].text_begin, 7);
}

TEST_F(CompletionTextTest, ACharacterComesWhenItIsWhole) {
  std::vector<TokenId> bytes;  // byte by byte
  for (const char byte : std::string("€")) {
    for (TokenId id = 0; id < atlas_->vocabulary_size(); ++id) {
      if (atlas_->TokenText(id) == std::string(1, byte)) bytes.push_back(id);
    }
  }
  ASSERT_EQ(bytes.size(), 3U);
  EXPECT_EQ(TellAtlas(bytes).pieces, (std::vector<std::string>{"", "", "€", ""}));
}

TEST_F(CompletionTextTest, BytesOfNoCharacterComeOutAsItsReplacement) {
  std::vector<TokenId> bytes;
  for (const char byte : std::string("€")) {
    for (TokenId id = 0; id < atlas_->vocabulary_size(); ++id) {
      if (atlas_->TokenText(id) == std::string(1, byte)) bytes.push_back(id);
    }
  }
  ASSERT_EQ(bytes.size(), 3U);
  // Cut at the end, or by another character: one replacement for what began a character.
  EXPECT_EQ(TellAtlas({bytes[0], bytes[1]}).pieces, (std::vector<std::string>{"", "", "\ufffd"}));
  EXPECT_EQ(TellAtlas({bytes[1], bytes[1]}).text(), "\ufffd\ufffd");
  std::vector<TokenId> broken = {bytes[0], bytes[1]};
  for (const TokenId token : Tokens(" x")) broken.push_back(token);
  const Told told = TellAtlas(broken);
  EXPECT_EQ(told.text(), "\ufffd x");
  EXPECT_EQ(told.tokens.size(), broken.size());
}

TEST_F(CompletionTextTest, EndsBeforeAStopStringThatSpansTokens) {
  const std::vector<TokenId> tokens = Tokens(" one two three four");
  const Told told = TellAtlas(tokens, {"wo thr"});
  EXPECT_TRUE(told.stopped);
  EXPECT_EQ(told.text(), " one t");
  // A token is told of if its text begins before the stop string.
  ASSERT_FALSE(told.tokens.empty());
  EXPECT_LT(told.tokens.back().text_begin, 6);
}

TEST_F(CompletionTextTest, WhatMayBeginAStopStringIsHeldBackUntilItDoesNot) {
  const std::vector<TokenId> tokens = Tokens(" one two");
  ASSERT_EQ(tokens.size(), 2U);
  EXPECT_EQ(TellAtlas(tokens, {" one tall"}).pieces,
            (std::vector<std::string>{"", " one two", ""}));
  // it ended otherwise
  EXPECT_EQ(TellAtlas({tokens[0]}, {" one tall"}).pieces, (std::vector<std::string>{"", " one"}));
}

TEST_F(CompletionTextTest, TheStopStringThatIsCompleteFirstCounts) {
  EXPECT_EQ(TellAtlas(Tokens(" abcde"), {"abcde", "bc"}).text(), " a");
  EXPECT_EQ(TellAtlas(Tokens(" abcde"), {"bcd", "abcd"}).text(), " ");
  EXPECT_EQ(TellAtlas(Tokens(" aab"), {"ab"}).text(), " a");
}

TEST_F(CompletionTextTest, TokensAreNamedWithWhereTheyBegin) {
  const std::vector<TokenId> tokens = Tokens(" the capital of France");
  const Told told = TellAtlas(tokens);
  ASSERT_EQ(told.tokens.size(), tokens.size());
  std::int64_t begin = 0;
  for (std::size_t i = 0; i < tokens.size(); ++i) {
    EXPECT_EQ(told.tokens[i].token.id, tokens[i]);
    EXPECT_EQ(told.tokens[i].token.text, atlas_->TokenText(tokens[i]));
    EXPECT_EQ(told.tokens[i].text_begin, begin);
    begin += static_cast<std::int64_t>(told.tokens[i].token.text.size());
  }
}

TEST(CompletionTextBeginTest, ASpaceThatTheTokenizerPutsInFrontIsNoneOfTheTexts) {
  const auto tokenizer = OpenTokenizer("llama2");
  const std::vector<TokenId> none = Encode(*tokenizer, "", SpecialTokens::kWithTemplate),
                             some = Encode(*tokenizer, "Once", SpecialTokens::kWithTemplate);
  const std::vector<TokenId> tokens = Encode(*tokenizer, "upon a time");
  ASSERT_FALSE(none.empty());
  EXPECT_EQ(Tell(CompletionText(*tokenizer, none, {}), tokens).text(), "upon a time");
  EXPECT_EQ(Tell(CompletionText(*tokenizer, some, {}), tokens).text(), " upon a time");
}

TEST_F(CompletionTextTest, ATokenThatEndsTheTextIsToldOfAndIsNoPartOfIt) {
  CompletionText text(*atlas_, Tokens("The prompt"), {});
  text.End(*Named(Tokens(" x")[0]));
  text.Finish();
  const CompletionPiece piece = text.Take();
  EXPECT_EQ(piece.text, "");
  ASSERT_EQ(piece.tokens.size(), 1U);
  EXPECT_EQ(piece.tokens[0].text_begin, 0);
}

// Table 3-7 of the Unicode standard: how many bytes at `at`, which begin with no character, go
// along with the beginning of one.
std::size_t BrokenBytes(std::string_view text) {
  const auto byte = [&](std::size_t at) { return static_cast<unsigned char>(text[at]); };
  const unsigned lead = byte(0);
  const std::size_t wanted = lead >= 0xf0 && lead <= 0xf4   ? 4
                             : lead >= 0xe0 && lead <= 0xef ? 3
                             : lead >= 0xc2 && lead <= 0xdf ? 2
                                                            : 1;
  const unsigned low = lead == 0xe0 ? 0xa0 : lead == 0xf0 ? 0x90 : 0x80;
  const unsigned high = lead == 0xed ? 0x9f : lead == 0xf4 ? 0x8f : 0xbf;
  std::size_t taken = 1;
  while (taken < wanted && taken < text.size() && byte(taken) >= (taken == 1 ? low : 0x80) &&
         byte(taken) <= (taken == 1 ? high : 0xbf))
    ++taken;
  return taken;
}

// The whole text at once: bytes of no character replaced, cut before the stop string that ends
// first.
std::string Oracle(std::string text, const std::vector<std::string>& stops) {
  while (const auto offset = FirstInvalidUtf8(text))
    text.replace(*offset, BrokenBytes(std::string_view(text).substr(*offset)), "\ufffd");
  for (std::size_t end = 1; end <= text.size(); ++end) {
    std::size_t longest = 0;
    for (const std::string& stop : stops) {
      if (text.substr(0, end).ends_with(stop)) longest = std::max(longest, stop.size());
    }
    if (longest > 0) return text.substr(0, end - longest);
  }
  return text;
}

class CompletionTextOracleTest : public testing::TestWithParam<std::string> {};
INSTANTIATE_TEST_SUITE_P(Tokenizers, CompletionTextOracleTest,
                         testing::Values("atlas", "gpt2", "llama2", "metaspace", "qwen2"),
                         [](const auto& each) { return each.param; });

TEST_P(CompletionTextOracleTest, PiecesAreTheWholeTextAndNeverPartOfAStop) {
  const auto tokenizer = OpenTokenizer(GetParam());
  std::mt19937 random(11);
  const auto below = [&](std::size_t bound) { return static_cast<std::size_t>(random() % bound); };
  const std::vector<std::string> phrases = {" the", "ab",   "a",  "b",   " €",
                                            "é",    "日本", "\n", " 🙂", "bab"};
  for (int round = 0; round < 300; ++round) {
    std::vector<TokenId> tokens;
    std::string text;
    for (std::size_t i = 0; i < 12; ++i) {
      const auto more = below(3) == 0
                            ? std::vector<TokenId>{static_cast<TokenId>(
                                  below(static_cast<std::size_t>(tokenizer->vocabulary_size())))}
                            : Encode(*tokenizer, phrases[below(phrases.size())]);
      tokens.insert(tokens.end(), more.begin(), more.end());
    }
    for (const TokenId token : tokens) text += tokenizer->TokenText(token);
    std::vector<std::string> stops;
    for (std::size_t i = 0; i < below(4); ++i)
      stops.push_back(phrases[below(phrases.size())] + phrases[below(phrases.size())]);
    const Told told =
        Tell(CompletionText(*tokenizer, Encode(*tokenizer, "behind this"), stops), tokens);
    const std::string expected = Oracle(text, stops);
    EXPECT_EQ(told.text(), expected);
    for (const std::string& piece : told.pieces)
      EXPECT_EQ(FirstInvalidUtf8(piece), std::nullopt) << piece;
    EXPECT_EQ(told.tokens.size() == tokens.size() || told.stopped, true);
  }
}

}  // namespace
}  // namespace emend::test::completion_text_test
