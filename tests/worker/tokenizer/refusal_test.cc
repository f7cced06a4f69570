#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>

#include "tests/worker/tokenizer/tokenizer_fixture.h"

namespace emend::worker::tokenizer::refusal_test {
namespace {

using nlohmann::json;
using testing::HasSubstr;

struct Fault {
  std::string name;
  std::function<void(json&)> make;
  StatusCode code = StatusCode::kInvalidArgument;
  std::string message;  // a part of it
};

json WithStep(const std::string& type) { return {{"type", type}}; }

json SplitAt(const std::string& pattern) {
  return {{"type", "Split"}, {"pattern", {{"Regex", pattern}}}, {"behavior", "Isolated"}};
}

json UnigramOf(const std::vector<std::pair<std::string, json>>& vocabulary) {
  return {{"type", "Unigram"}, {"vocab", vocabulary}};
}

const std::vector<Fault> kFaults = {
    {"NoModel", [](json& j) { j.erase("model"); }, StatusCode::kInvalidArgument,
     "model: expected an object"},
    {"OtherModel", [](json& j) { j["model"]["type"] = "WordPiece"; }, StatusCode::kUnsupported,
     "WordPiece"},
    {"NoVocabulary", [](json& j) { j["model"].erase("vocab"); }, StatusCode::kInvalidArgument,
     "model.vocab"},
    {"EmptyVocabulary", [](json& j) { j["model"]["vocab"] = json::object(); },
     StatusCode::kInvalidArgument, "model.vocab: has no token"},
    {"TextAsId", [](json& j) { j["model"]["vocab"]["a"] = "7"; }, StatusCode::kInvalidArgument,
     "token \"a\""},
    {"NegativeId", [](json& j) { j["model"]["vocab"]["a"] = -7; }, StatusCode::kInvalidArgument,
     "-7 is not between"},
    {"HugeId", [](json& j) { j["model"]["vocab"]["a"] = 1ull << 63; }, StatusCode::kInvalidArgument,
     "is not between"},
    {"IdTwice", [](json& j) { j["model"]["vocab"]["a"] = j["model"]["vocab"]["b"]; },
     StatusCode::kInvalidArgument, "stands for two tokens"},
    {"LongToken", [](json& j) { j["model"]["vocab"][std::string(5000, 'a')] = 9000; },
     StatusCode::kResourceExhausted, "has 5000 bytes"},
    {"NoMerges", [](json& j) { j["model"].erase("merges"); }, StatusCode::kInvalidArgument,
     "model.merges"},
    {"MergeOfOne", [](json& j) { j["model"]["merges"][3] = {"a"}; }, StatusCode::kInvalidArgument,
     "model.merges[3]"},
    {"MergeOfNumbers", [](json& j) { j["model"]["merges"][3] = {1, 2}; },
     StatusCode::kInvalidArgument, "model.merges[3]"},
    {"MergeWithoutSpace", [](json& j) { j["model"]["merges"][3] = "ab"; },
     StatusCode::kInvalidArgument, "one space between"},
    {"MergeOfUnknown", [](json& j) { j["model"]["merges"][3] = {"qqqq", "a"}; },
     StatusCode::kInvalidArgument, "\"qqqq\" is not in the vocabulary"},
    {"Dropout", [](json& j) { j["model"]["dropout"] = 0.1; }, StatusCode::kUnsupported,
     "model.dropout"},
    {"SubwordPrefix", [](json& j) { j["model"]["continuing_subword_prefix"] = "##"; },
     StatusCode::kUnsupported, "continuing_subword_prefix"},
    {"WordSuffix", [](json& j) { j["model"]["end_of_word_suffix"] = "</w>"; },
     StatusCode::kUnsupported, "end_of_word_suffix"},
    {"UnkAsNumber", [](json& j) { j["model"]["unk_token"] = 3; }, StatusCode::kInvalidArgument,
     "model.unk_token"},
    {"FlagAsText", [](json& j) { j["model"]["ignore_merges"] = "yes"; },
     StatusCode::kInvalidArgument, "model.ignore_merges: expected true or false"},
    {"UnigramWithoutTokens",
     [](json& j) { j.update({{"pre_tokenizer", nullptr}, {"model", UnigramOf({})}}); },
     StatusCode::kInvalidArgument, "model.vocab: has no token"},
    {"UnigramBehindByteLevel", [](json& j) { j["model"] = UnigramOf({{"a", 0}}); },
     StatusCode::kUnsupported, "model: a Unigram behind the pre-tokenizer ByteLevel"},
    {"UnigramScoreAsText",
     [](json& j) { j.update({{"pre_tokenizer", nullptr}, {"model", UnigramOf({{"a", "b"}})}}); },
     StatusCode::kInvalidArgument, "model.vocab[0]: expected a pair of a text and a score"},
    {"UnigramTokenTwice",
     [](json& j) {
       j.update({{"pre_tokenizer", nullptr}, {"model", UnigramOf({{"a", 0}, {"a", 1}})}});
     },
     StatusCode::kInvalidArgument, "model.vocab[1]: the token \"a\" has two ids"},
    {"UnigramUnkBeyondTheVocabulary",
     [](json& j) {
       j.update({{"pre_tokenizer", nullptr}, {"model", UnigramOf({{"a", 0}, {"b", 0}})}});
       j["model"]["unk_id"] = 2;
     },
     StatusCode::kInvalidArgument, "model.unk_id: 2 is not between 0 and 1"},
    {"CharsmapThatIsNotBase64",
     [](json& j) { j["normalizer"] = {{"type", "Precompiled"}, {"precompiled_charsmap", "AB?D"}}; },
     StatusCode::kInvalidArgument, "normalizer.precompiled_charsmap: the charsmap is not base64"},
    {"CharsmapWithoutATrie",
     [](json& j) {
       j["normalizer"] = {{"type", "Precompiled"}, {"precompiled_charsmap", "BAAAAA=="}};
     },
     StatusCode::kInvalidArgument, "the charsmap of 4 bytes says that its trie has 4"},
    {"OtherNormalizer", [](json& j) { j["normalizer"] = WithStep("BertNormalizer"); },
     StatusCode::kUnsupported, "BertNormalizer"},
    {"NormalizerAsText", [](json& j) { j["normalizer"] = "NFC"; }, StatusCode::kInvalidArgument,
     "normalizer: expected an object"},
    {"OtherPreTokenizer", [](json& j) { j["pre_tokenizer"] = WithStep("UnicodeScripts"); },
     StatusCode::kUnsupported,
     "\"UnicodeScripts\" is not supported; supported here: ByteLevel, Digits, "},
    {"StepBehindByteLevel",
     [](json& j) {
       j["pre_tokenizer"] = {{"type", "Sequence"},
                             {"pretokenizers", {WithStep("ByteLevel"), WithStep("Digits")}}};
     },
     StatusCode::kUnsupported, "pre_tokenizer.pretokenizers[1]: a pre-tokenizer behind ByteLevel"},
    {"SequenceInSequence",
     [](json& j) {
       j["pre_tokenizer"] = {
           {"type", "Sequence"},
           {"pretokenizers", {{{"type", "Sequence"}, {"pretokenizers", json::array()}}}}};
     },
     StatusCode::kInvalidArgument, "a Sequence inside a Sequence"},
    {"BrokenPattern", [](json& j) { j["pre_tokenizer"] = SplitAt("(a"); },
     StatusCode::kInvalidArgument, "pre_tokenizer.pattern: the pattern does not compile"},
    {"ClassInAClass", [](json& j) { j["pre_tokenizer"] = SplitAt("[^(a|[.,])]+"); },
     StatusCode::kUnsupported, "pre_tokenizer.pattern: the pattern has a class inside a class"},
    {"IntersectionOfClasses", [](json& j) { j["pre_tokenizer"] = SplitAt("[a-z&&\\p{L}]"); },
     StatusCode::kUnsupported, "an intersection of classes at its byte 4"},
    {"PlusAfterAnInterval", [](json& j) { j["pre_tokenizer"] = SplitAt("\\p{N}{1,3}+"); },
     StatusCode::kUnsupported, "a \"+\" after an interval"},
    {"WordBoundary", [](json& j) { j["pre_tokenizer"] = SplitAt("a\\b"); },
     StatusCode::kUnsupported, "the pattern has \\b at its byte 1"},
    {"LongPattern", [](json& j) { j["pre_tokenizer"] = SplitAt(std::string(5000, 'a')); },
     StatusCode::kResourceExhausted, "5000 bytes"},
    {"OtherBehavior",
     [](json& j) {
       j["pre_tokenizer"] = {
           {"type", "Split"}, {"pattern", {{"String", "a"}}}, {"behavior", "Shuffled"}};
     },
     StatusCode::kUnsupported, "Shuffled"},
    {"NoDecoder", [](json& j) { j["decoder"] = nullptr; }, StatusCode::kUnsupported,
     "decoder: is missing"},
    {"OtherDecoder", [](json& j) { j["decoder"] = WithStep("WordPiece"); },
     StatusCode::kUnsupported, "decoder: the type \"WordPiece\""},
    {"LongMetaspace",
     [](json& j) { j["pre_tokenizer"] = {{"type", "Metaspace"}, {"replacement", "ab"}}; },
     StatusCode::kInvalidArgument, "expected one character"},
    {"OtherPostProcessor", [](json& j) { j["post_processor"] = WithStep("BertProcessing"); },
     StatusCode::kUnsupported, "BertProcessing"},
    {"TemplateOfUnknown",
     [](json& j) {
       j["post_processor"] = {{"type", "TemplateProcessing"},
                              {"single", {{{"SpecialToken", {{"id", "<s>"}}}}}},
                              {"special_tokens", {}}};
     },
     StatusCode::kInvalidArgument, "has no ids for \"<s>\""},
    {"AddedTokenWithoutContent", [](json& j) { j["added_tokens"][0].erase("content"); },
     StatusCode::kInvalidArgument, "added_tokens[0].content"},
    {"EmptyAddedToken", [](json& j) { j["added_tokens"][0]["content"] = ""; },
     StatusCode::kInvalidArgument, "added_tokens[0].content: is empty"},
    {"AddedTokenOnATakenId", [](json& j) { j["added_tokens"][0]["content"] = "<other>"; },
     StatusCode::kInvalidArgument, "stands for two tokens"},
    {"AddedTokenTwice", [](json& j) { j["added_tokens"].push_back(j["added_tokens"][0]); },
     StatusCode::kInvalidArgument, "is added twice"},
    {"AddedTokensAsText", [](json& j) { j["added_tokens"] = "none"; }, StatusCode::kInvalidArgument,
     "added_tokens: expected an array"},
};

class RefusalTest : public testing::TestWithParam<Fault> {};

TEST_P(RefusalTest, NamesWhatIsWrong) {
  json file = json::parse(ReadFile(TokenizerPath("atlas")));
  GetParam().make(file);
  const auto tokenizer = Tokenizer::FromJson(file.dump());
  ASSERT_FALSE(tokenizer.ok());
  EXPECT_EQ(tokenizer.status().code(), GetParam().code) << tokenizer.status().ToString();
  EXPECT_THAT(tokenizer.status().message(), HasSubstr(GetParam().message));
}

INSTANTIATE_TEST_SUITE_P(EveryFault, RefusalTest, testing::ValuesIn(kFaults),
                         [](const auto& test) { return test.param.name; });

Status StatusOf(std::string_view file) { return Tokenizer::FromJson(file).status(); }

TEST(TokenizerFileTest, WhatIsNotJsonIsRefusedAtItsByte) {
  EXPECT_EQ(StatusOf("").slug(), "bad_tokenizer");
  EXPECT_THAT(StatusOf("{\"model\": oops}").message(), HasSubstr("breaks at byte 11"));
  EXPECT_THAT(StatusOf("[]").message(), HasSubstr("expected an object, found array"));
}

TEST(TokenizerFileTest, DeepNestingIsRefused) {
  EXPECT_THAT(StatusOf("{\"model\":" + std::string(100'000, '[') + std::string(100'000, ']') + "}")
                  .message(),
              HasSubstr("nested deeper"));
}

TEST(TokenizerFileTest, ATokenThatStandsTwiceIsRefused) {
  EXPECT_THAT(StatusOf(R"({"model":{"vocab":{"a":0,"a":1}}})").message(), HasSubstr("\"a\" twice"));
}

TEST(TokenizerFileTest, AFileThatIsNotThereIsNotFound) {
  EXPECT_EQ(Tokenizer::Open("tests/golden/tokenizer/none").status().code(), StatusCode::kNotFound);
}

TEST(HostilePatternTest, EndsInAnErrorInsteadOfAHang) {
  json file = json::parse(ReadFile(TokenizerPath("atlas")));
  file["pre_tokenizer"] = SplitAt("(a+)+$|(a|aa)+b");
  const auto tokenizer = Tokenizer::FromJson(file.dump());
  ASSERT_TRUE(tokenizer.ok()) << tokenizer.status().ToString();
  const auto tokens = (*tokenizer)->Encode(std::string(5000, 'a') + "!");
  EXPECT_EQ(tokens.status().code(), StatusCode::kResourceExhausted);
}

TEST(HostileNormalizerTest, DoesNotMakeATextExplode) {
  json file = json::parse(ReadFile(TokenizerPath("atlas")));
  file["normalizer"] = {
      {"type", "Replace"}, {"pattern", {{"String", "a"}}}, {"content", std::string(1 << 20, 'b')}};
  const auto tokenizer = Tokenizer::FromJson(file.dump());
  ASSERT_TRUE(tokenizer.ok()) << tokenizer.status().ToString();
  EXPECT_EQ((*tokenizer)->Encode(std::string(1000, 'a')).status().code(),
            StatusCode::kResourceExhausted);
}

TEST(VocabularyTest, TextWithoutATokenIsRefusedInsteadOfLost) {
  const auto tokenizer =
      Tokenizer::FromJson(R"({"model":{"vocab":{"a":0},"merges":[]},"decoder":{"type":"Fuse"}})");
  ASSERT_TRUE(tokenizer.ok()) << tokenizer.status().ToString();
  EXPECT_EQ((*tokenizer)->Encode("ab").status().slug(), "no_token_for_text");
}

TEST(VocabularyTest, UnigramTextWithoutATokenIsRefusedWhereNothingStandsInForIt) {
  json file = {{"model", UnigramOf({{"a", -1}, {"b", -2}})}, {"decoder", {{"type", "Fuse"}}}};
  const Status refused = Tokenizer::FromJson(file.dump()).value()->Encode("abcd").status();
  EXPECT_EQ(refused.slug(), "no_token_for_text");
  EXPECT_THAT(refused.message(), HasSubstr("no token for \"cd\""));
  file["model"]["unk_id"] = 1;
  const auto tokens = Tokenizer::FromJson(file.dump()).value()->Encode("cdab");
  ASSERT_TRUE(tokens.ok()) << tokens.status().ToString();
  EXPECT_EQ(*tokens, (std::vector<Token>{{1, 0, 2}, {0, 2, 3}, {1, 3, 4}}));
}

TEST(VocabularyTest, AnUnkTokenThatStandsNowhereMattersOnlyToATextThatNeedsIt) {
  const auto tokenizer = Tokenizer::FromJson(
      R"({"model":{"vocab":{"a":0},"merges":[],"unk_token":"<unk>"},
          "added_tokens":[{"id":1,"content":"<unk>","special":true}],"decoder":{"type":"Fuse"}})");
  ASSERT_TRUE(tokenizer.ok()) << tokenizer.status().ToString();
  EXPECT_TRUE((*tokenizer)->Encode("aa<unk>").ok());
  const Status needed = (*tokenizer)->Encode("ab").status();
  EXPECT_EQ(needed.slug(), "no_token_for_text");
  EXPECT_THAT(needed.message(), HasSubstr("the unk_token \"<unk>\" is not in it"));
}

TEST(EmbeddingRowsTest, ATextThatNeedsATokenWithoutARowIsRefusedByToken) {
  json file = json::parse(ReadFile(TokenizerPath("atlas")));
  file["added_tokens"].push_back({{"id", 8192}, {"content", "<|im_end|>"}, {"special", true}});
  const auto tokenizer = Tokenizer::FromJson(file.dump());
  ASSERT_TRUE(tokenizer.ok()) << tokenizer.status().ToString();
  const std::string text = std::string(100, 'a') + "<|im_end|>" + std::string(100, 'b');
  EXPECT_TRUE((*tokenizer)->Encode(text).ok());
  EXPECT_EQ((*tokenizer)->IdsFrom(8191), (std::vector<TokenId>{8191, 8192}));
  EXPECT_EQ((*tokenizer)->IdsFrom(8192), std::vector<TokenId>{8192});
  EXPECT_TRUE((*tokenizer)->IdsFrom(8193).empty());
  (*tokenizer)->LimitTo(8192);
  EXPECT_TRUE((*tokenizer)->Encode("<|endoftext|> and what follows").ok());
  const Status refused = (*tokenizer)->Encode(text).status();
  EXPECT_EQ(refused.code(), StatusCode::kInvalidArgument);
  EXPECT_EQ(refused.slug(), "unknown_token");
  EXPECT_THAT(
      refused.message(),
      HasSubstr("the text \"..." + std::string(60, 'a') + "<|im_end|>" + std::string(60, 'b') +
                "...\": it needs the token \"<|im_end|>\" with the id 8192"));
}

TEST(EmbeddingRowsTest, ATemplatesTokenNeedsARowToo) {
  json file = json::parse(ReadFile(TokenizerPath("atlas")));
  file["added_tokens"].push_back({{"id", 8192}, {"content", "<s>"}, {"special", true}});
  file["post_processor"] = {
      {"type", "TemplateProcessing"},
      {"single", {{{"SpecialToken", {{"id", "<s>"}}}}, {{"Sequence", {{"id", "A"}}}}}},
      {"special_tokens", {{"<s>", {{"id", "<s>"}, {"ids", {8192}}, {"tokens", {"<s>"}}}}}}};
  const auto tokenizer = Tokenizer::FromJson(file.dump());
  ASSERT_TRUE(tokenizer.ok()) << tokenizer.status().ToString();
  (*tokenizer)->LimitTo(8192);
  EXPECT_TRUE((*tokenizer)->Encode("a").ok());
  const Status refused = (*tokenizer)->Encode("a", SpecialTokens::kWithTemplate).status();
  EXPECT_EQ(refused.slug(), "unknown_token");
  EXPECT_THAT(refused.message(), HasSubstr("the tokenizer adds it by itself"));
}

}  // namespace
}  // namespace emend::worker::tokenizer::refusal_test
