#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstring>
#include <filesystem>
#include <fstream>

#include "tests/support/temporary_folder.h"
#include "tests/worker/tokenizer/tokenizer_fixture.h"

namespace emend::worker::tokenizer::sentencepiece_test {
namespace {

using nlohmann::json;
using testing::HasSubstr;

// Protobuf's wire format, as far as the tests write it; no length here reaches 128.
std::string Number(int field, int value) {
  std::string bytes(1, static_cast<char>((field << 3) % 128 + (field > 15 ? 128 : 0)));
  if (field > 15) bytes.push_back(static_cast<char>(field >> 4));
  return bytes + static_cast<char>(value);
}

std::string Bytes(int field, const std::string& bytes) {
  std::string written = Number(field, static_cast<int>(bytes.size()));
  written[0] = static_cast<char>(written[0] | 2);
  return written + bytes;
}

std::string Piece(const std::string& text, int type = 1, std::string_view score = "") {
  return Bytes(1, Bytes(1, text) + std::string(score) + Number(3, type));
}

std::string WithScore(float score) {
  std::string bytes("\x15\0\0\0\0", 5);
  std::memcpy(bytes.data() + 1, &score, 4);
  return bytes;
}

constexpr char kUnknown[] = "<unk>";
const std::string kSmall = Piece(kUnknown, 2) + Piece("<s>", 3) + Piece("</s>", 3) +
                           Piece("\xe2\x96\x81") + Piece("a") + Piece("b") + Piece("ab") +
                           Bytes(2, Number(3, 2));

Result<std::unique_ptr<Tokenizer>> Open(const std::string& model, const std::string& config = "",
                                        const std::string& added = "") {
  return Tokenizer::FromSentencePiece(
      {.model = model, .tokenizer_config = config, .added_tokens = added});
}

struct BadFile {
  std::string name;
  std::string model;
  StatusCode code = StatusCode::kInvalidArgument;
  std::string message;  // a part of it
  std::string config = {};
  std::string added = {};
};

const std::vector<BadFile> kBadFiles = {
    {"Empty", "", StatusCode::kInvalidArgument, "0 of its 0 pieces stand for what is unknown"},
    {"TextOfAnotherKind", "IQ== 0\nIg== 1\n", StatusCode::kInvalidArgument,
     "is no SentencePiece model"},
    {"CutOff", kSmall.substr(0, kSmall.size() - 1), StatusCode::kInvalidArgument,
     "longer than the rest"},
    {"EndlessNumber", "\x08" + std::string(10, '\xff'), StatusCode::kInvalidArgument,
     "a number that does not end, near byte 11"},
    {"FieldWithoutANumber", std::string("\x02\x00", 2), StatusCode::kInvalidArgument,
     "a field without a number"},
    {"Group", "\x0b", StatusCode::kInvalidArgument, "a field of an unknown kind"},
    {"PieceAsNumber", Number(1, 5), StatusCode::kInvalidArgument, "expected bytes, found a number"},
    {"TypeAsBytes", Bytes(1, Bytes(3, "a")), StatusCode::kInvalidArgument,
     "expected a number, found bytes"},
    {"NoUnknownPiece", Piece("a"), StatusCode::kInvalidArgument,
     "0 of its 1 pieces stand for what is unknown"},
    {"TwoUnknownPieces", Piece("a", 2) + Piece("b", 2), StatusCode::kInvalidArgument,
     "2 of its 2 pieces"},
    {"UnusedPiece", kSmall + Piece("c", 5), StatusCode::kUnsupported,
     "the piece 7 \"c\": is unused by its type"},
    {"OtherPiece", kSmall + Piece("c", 7), StatusCode::kInvalidArgument, "its type is 7"},
    {"EmptyPiece", kSmall + Piece(""), StatusCode::kInvalidArgument, "its text is empty"},
    {"PieceTwice", kSmall + Piece("a"), StatusCode::kInvalidArgument,
     "the token \"a\" has two ids, 4 and 7"},
    {"PieceThatIsNotUtf8", kSmall + Piece("\xe2\x96"), StatusCode::kInvalidArgument,
     "its text is not UTF-8"},
    {"InfiniteScore", kSmall + Piece("c", 1, WithScore(1.0f / 0.0f)), StatusCode::kInvalidArgument,
     "its score is no finite number"},
    {"WordModel", kSmall + Bytes(2, Number(3, 3)), StatusCode::kUnsupported,
     "trainer_spec.model_type: is 3; supported here: 1 (unigram), 2 (bpe)"},
    {"SpaceAsSuffix", kSmall + Bytes(2, Number(24, 1)), StatusCode::kUnsupported,
     "treat_whitespace_as_suffix"},
    {"Denormalizer", kSmall + Bytes(5, Bytes(2, "x")), StatusCode::kUnsupported,
     "denormalizer_spec"},
    {"BrokenCharsmap", kSmall + Bytes(3, Bytes(2, "x")), StatusCode::kInvalidArgument,
     "the charsmap of 1 bytes"},
    {"ConfigThatIsNotJson", kSmall, StatusCode::kInvalidArgument,
     "reading tokenizer_config.json: is not JSON", "{"},
    {"FlagAsText", kSmall, StatusCode::kInvalidArgument,
     "tokenizer_config.json.add_bos_token: expected true or false", R"({"add_bos_token": "yes"})"},
    {"EndThatIsNoPiece", kSmall + Bytes(2, Bytes(47, "<end>")), StatusCode::kInvalidArgument,
     "add_eos_token: is true, and tokenizer.model has no control piece \"<end>\"",
     R"({"add_eos_token": true})"},
    {"AddedTokenWithoutAnId", kSmall, StatusCode::kInvalidArgument, "the key \"x\" is no id",
     R"({"added_tokens_decoder": {"x": {"content": "y"}}})"},
    {"AddedTokenOnATakenId", kSmall, StatusCode::kInvalidArgument,
     "the id 4 stands for two tokens, \"a\" and \"y\"",
     R"({"added_tokens_decoder": {"4": {"content": "y"}}})"},
    {"AddedTokensAsList", kSmall, StatusCode::kInvalidArgument, "reading added_tokens.json", "",
     "[]"},
};

class BadSentencePieceTest : public testing::TestWithParam<BadFile> {};

TEST_P(BadSentencePieceTest, IsRefusedByWhatIsWrong) {
  const Status refused = Open(GetParam().model, GetParam().config, GetParam().added).status();
  EXPECT_EQ(refused.code(), GetParam().code) << refused.ToString();
  EXPECT_THAT(refused.message(), HasSubstr(GetParam().message));
}

INSTANTIATE_TEST_SUITE_P(EveryFault, BadSentencePieceTest, testing::ValuesIn(kBadFiles),
                         [](const auto& test) { return test.param.name; });

std::vector<TokenId> IdsOf(const Tokenizer& tokenizer, std::string_view text,
                           SpecialTokens special = SpecialTokens::kPlain) {
  const auto tokens = tokenizer.Encode(text, special);
  EXPECT_TRUE(tokens.ok()) << tokens.status().ToString();
  return tokens.ok() ? Ids(*tokens) : std::vector<TokenId>();
}

TEST(SentencePieceTest, SpansCoverTheTextThatTheRulesLeave) {
  const auto tokens = Open(kSmall).value()->Encode("  ab  ?? b ");
  ASSERT_TRUE(tokens.ok()) << tokens.status().ToString();
  EXPECT_EQ(*tokens, (std::vector<Token>{{3, 2, 2},  // the space that is put in front
                                         {6, 2, 4},
                                         {3, 4, 5},
                                         {0, 6, 8},
                                         {3, 8, 9},
                                         {5, 9, 10}}));
  EXPECT_EQ(IdsOf(*Open(kSmall).value(), "   "), std::vector<TokenId>());
}

TEST(SentencePieceTest, TheConfigSaysWhatStandsAtTheEnds) {
  const auto ends = SpecialTokens::kWithTemplate;
  EXPECT_EQ(IdsOf(*Open(kSmall).value(), "a", ends), (std::vector<TokenId>{1, 3, 4}));
  EXPECT_EQ(IdsOf(*Open(kSmall, R"({"add_bos_token":false})").value(), "a", ends),
            (std::vector<TokenId>{3, 4}));
  EXPECT_EQ(IdsOf(*Open(kSmall, R"({"add_eos_token":true})").value(), "a", ends),
            (std::vector<TokenId>{1, 3, 4, 2}));
  EXPECT_EQ(Open(kSmall).value()->SpecialToken("</s>"), 2);
}

TEST(SentencePieceTest, AddedTokensComeFromBothFilesAndTheConfigSaysMore) {
  const auto tokenizer =
      Open(kSmall, R"({"added_tokens_decoder":{"8":{"content":"<x>","rstrip":true,"special":true},
                                          "2":{"content":"</s>","rstrip":true}}})",
           R"({"<pad>":7,"<x>":8})");
  ASSERT_TRUE(tokenizer.ok()) << tokenizer.status().ToString();
  EXPECT_EQ(IdsOf(**tokenizer, "<x>  a<pad> b"), (std::vector<TokenId>{8, 3, 4, 7, 3, 5}));
  EXPECT_EQ((*tokenizer)->vocabulary_size(), 9);
  EXPECT_EQ((*tokenizer)->SpecialToken("<pad>"), 7);
  EXPECT_EQ((*tokenizer)->SpecialToken("</s>"), std::nullopt);  // the config does not call it that
}

TEST(OpenFolderTest, TheJsonComesFirstThenTheModel) {
  const test::TemporaryFolder folder;
  const Status neither = Tokenizer::OpenFolder(folder.path()).status();
  EXPECT_EQ(neither.code(), StatusCode::kNotFound);
  EXPECT_THAT(neither.message(), HasSubstr("it has no tokenizer.json and no tokenizer.model"));
  std::ofstream(folder.path() + "/tokenizer.model") << kSmall;
  std::ofstream(folder.path() + "/tokenizer_config.json") << R"({"add_bos_token":false})";
  std::ofstream(folder.path() + "/added_tokens.json") << R"({"<pad>":7})";
  const auto model = Tokenizer::OpenFolder(folder.path());
  ASSERT_TRUE(model.ok()) << model.status().ToString();
  EXPECT_EQ((*model)->vocabulary_size(), 8);
  EXPECT_EQ(IdsOf(**model, "a", SpecialTokens::kWithTemplate), (std::vector<TokenId>{3, 4}));
  std::filesystem::copy_file(TokenizerPath("llama2"), folder.path() + "/tokenizer.json");
  const auto from_json = Tokenizer::OpenFolder(folder.path());
  ASSERT_TRUE(from_json.ok()) << from_json.status().ToString();
  EXPECT_EQ((*from_json)->vocabulary_size(), OpenTokenizer("llama2")->vocabulary_size());
}

}  // namespace
}  // namespace emend::worker::tokenizer::sentencepiece_test
