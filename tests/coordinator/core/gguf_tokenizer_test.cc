// The tokenizer that a GGUF file's metadata give encodes as the one they were taken from.
#include "coordinator/core/gguf_tokenizer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <nlohmann/json.hpp>

#include "tests/support/gguf_model.h"
#include "tests/support/status_matchers.h"
#include "worker/tokenizer/tokenizer.h"

namespace emend::coordinator::core::gguf_tokenizer_test {
namespace {

using nlohmann::json;
using storage::checkpoint::GgufFile;
using test::GgufWriter;
using test::IsOk;
using test::StatusIs;
using testing::HasSubstr;
using worker::tokenizer::SpecialTokens;
using worker::tokenizer::Token;
using worker::tokenizer::Tokenizer;

json ReadJson(const std::string& path) { return json::parse(std::ifstream(path)); }

Result<GgufTokenizer> Convert(const GgufWriter& writer) {
  const std::string bytes = writer.Build();
  EMEND_ASSIGN_OR_RETURN(
      const GgufFile file,
      GgufFile::Parse({reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size()},
                      "x.gguf"));
  return ConvertTokenizer(file);
}

std::vector<int> Encode(const Tokenizer& tokenizer, const std::string& text,
                        SpecialTokens special) {
  const Result<std::vector<Token>> tokens = tokenizer.Encode(text, special);
  EXPECT_THAT(tokens, IsOk()) << text;
  std::vector<int> ids;
  for (const Token& token : *tokens) ids.push_back(token.id);
  return ids;
}

void ExpectEncodesAs(const std::string& tokenizer_json, const std::string& golden) {
  const auto tokenizer = Tokenizer::FromJson(tokenizer_json);
  ASSERT_THAT(tokenizer.status(), IsOk());
  const json rows = ReadJson(golden);
  EXPECT_GT(rows.size(), 40U);
  for (const json& row : rows) {
    const std::string text = row["text"];
    EXPECT_EQ(json(Encode(**tokenizer, text, SpecialTokens::kPlain)), row["ids"]) << text;
    EXPECT_EQ(json(Encode(**tokenizer, text, SpecialTokens::kWithTemplate)), row["with_template"])
        << text;
  }
}

// tests/golden/tokenizer/NAME.tokenizer.json as the metadata of a GGUF file.
GgufWriter ByteLevelFile(const std::string& name, const std::string& pre) {
  const json file = ReadJson("tests/golden/tokenizer/" + name + ".tokenizer.json");
  std::vector<std::string> tokens(file["model"]["vocab"].size() + file["added_tokens"].size());
  std::vector<std::int32_t> kinds(tokens.size(), 1);
  std::size_t count = 0;
  for (const auto& [text, id] : file["model"]["vocab"].items()) {
    tokens[id] = text;
    count = std::max(count, id.get<std::size_t>() + 1);
  }
  for (const json& added : file["added_tokens"]) {
    const std::size_t id = added["id"];
    tokens[id] = added["content"];
    kinds[id] = added["special"] ? 3 : 4;
    count = std::max(count, id + 1);
  }
  tokens.resize(count);
  kinds.resize(count);
  std::vector<std::string> merges;
  for (const json& merge : file["model"]["merges"])
    merges.push_back(merge.is_string()
                         ? merge.get<std::string>()
                         : merge[0].get<std::string>() + " " + merge[1].get<std::string>());
  GgufWriter writer;
  writer.Text("tokenizer.ggml.model", "gpt2");
  writer.Text("tokenizer.ggml.pre", pre);
  writer.Texts("tokenizer.ggml.tokens", tokens);
  writer.Integers("tokenizer.ggml.token_type", kinds);
  writer.Texts("tokenizer.ggml.merges", merges);
  return writer;
}

TEST(GgufTokenizerTest, ByteLevelTokenizersEncodeAsTheirOriginals) {
  GgufWriter llama3 = ByteLevelFile("llama3", "llama-bpe");
  llama3.Integer("tokenizer.ggml.bos_token_id", 0);  // it begins a text unless it is said otherwise
  ASSERT_OK_AND_ASSIGN(const GgufTokenizer as_llama3, Convert(llama3));
  ExpectEncodesAs(as_llama3.tokenizer, "tests/golden/tokenizer/llama3.golden.json");
  ASSERT_OK_AND_ASSIGN(const GgufTokenizer as_qwen2, Convert(ByteLevelFile("qwen2", "qwen2")));
  ExpectEncodesAs(as_qwen2.tokenizer, "tests/golden/tokenizer/qwen2.golden.json");
}

TEST(GgufTokenizerTest, EveryPreTokenizerIsOneThatTheTokenizerKnows) {
  const std::string text = "ab  12345 don't\n\n c'EST";
  for (const auto& [pre, twelve] : {std::pair("gpt-2", true),
                                    {"smollm", false},
                                    {"starcoder", false},
                                    {"refact", false},
                                    {"llama-bpe", true},
                                    {"qwen2", false},
                                    {"tekken", false}}) {
    GgufWriter writer;
    writer.Text("tokenizer.ggml.model", "gpt2");
    writer.Text("tokenizer.ggml.pre", pre);
    std::vector<std::string> tokens = test::ByteCharacters();
    tokens.push_back("12");
    writer.Texts("tokenizer.ggml.tokens", tokens);
    writer.Texts("tokenizer.ggml.merges", {"1 2"});
    ASSERT_OK_AND_ASSIGN(const GgufTokenizer files, Convert(writer));
    const auto tokenizer = Tokenizer::FromJson(files.tokenizer);
    ASSERT_THAT(tokenizer.status(), IsOk()) << pre;
    // one token less where two digits may be one
    EXPECT_EQ(Encode(**tokenizer, text, SpecialTokens::kWithTemplate).size(),
              text.size() - (twelve ? 1 : 0))
        << pre;
    EXPECT_EQ(files.generation_config, "");
  }
}

TEST(GgufTokenizerTest, PiecesEncodeAsWithTheMergesOfTheirScores) {
  ASSERT_OK_AND_ASSIGN(const GgufFile file, GgufFile::Open("tests/golden/gguf/pieces.gguf"));
  ASSERT_OK_AND_ASSIGN(const GgufTokenizer files, ConvertTokenizer(file));
  ExpectEncodesAs(files.tokenizer, "tests/golden/gguf/pieces.golden.json");
  const auto tokenizer = Tokenizer::FromJson(files.tokenizer);
  ASSERT_THAT(tokenizer.status(), IsOk());
  const std::string text = "Once upon  a time\xf0\x9f\x90\x8d";
  ASSERT_OK_AND_ASSIGN(const auto tokens, (*tokenizer)->Encode(text));
  std::vector<int> ids;
  for (const Token& token : tokens) ids.push_back(token.id);
  EXPECT_EQ((*tokenizer)->Decode(ids), text);
}

TEST(GgufTokenizerTest, SpecialTokensEndsAndTheChatTemplateAreKept) {
  GgufWriter writer;
  test::AddByteLevelTokenizer(writer, "gpt-2");
  writer.Integer("tokenizer.ggml.eot_token_id", 509);
  writer.Integer("tokenizer.ggml.eom_token_id", 511);
  writer.Integer("tokenizer.ggml.padding_token_id", 0);
  writer.Flag("tokenizer.ggml.add_bos_token", true);
  writer.Flag("tokenizer.ggml.add_eos_token", true);
  writer.Text("tokenizer.chat_template", "{{ bos_token }}");
  ASSERT_OK_AND_ASSIGN(const GgufTokenizer files, Convert(writer));
  EXPECT_EQ(json::parse(files.generation_config),
            (json{{"bos_token_id", 510}, {"eos_token_id", {511, 509}}, {"pad_token_id", 0}}));
  const json config = json::parse(files.tokenizer_config);
  EXPECT_EQ(config["bos_token"], "<s>");
  EXPECT_EQ(config["eos_token"], "</s>");
  EXPECT_EQ(config["chat_template"], "{{ bos_token }}");
  const auto tokenizer = Tokenizer::FromJson(files.tokenizer);
  ASSERT_THAT(tokenizer.status(), IsOk());
  EXPECT_EQ(Encode(**tokenizer, "a</s>", SpecialTokens::kWithTemplate),
            (std::vector<int>{510, 97, 511, 511}));
  EXPECT_EQ((*tokenizer)->SpecialToken("<s>"), 510);
}

TEST(GgufTokenizerTest, WhatIsNoTokenizerIsRefusedByKey) {
  const auto refused = [](const GgufWriter& writer, StatusCode code, const char* slug,
                          const char* words) {
    const Status status = Convert(writer).status();
    EXPECT_THAT(status, StatusIs(code, slug));
    EXPECT_THAT(status.message(), HasSubstr(words));
  };
  constexpr StatusCode kInvalid = StatusCode::kInvalidArgument;
  const auto with = [](const char* model, const char* pre, const std::vector<std::string>& tokens) {
    GgufWriter writer;
    writer.Text("tokenizer.ggml.model", model);
    writer.Text("tokenizer.ggml.pre", pre);
    writer.Texts("tokenizer.ggml.tokens", tokens);
    return writer;
  };
  refused(GgufWriter(), StatusCode::kUnsupported, "unknown_tokenizer", "found a tokenizer \"\"");
  refused(with("gpt2", "gpt-2", {}), kInvalid, "gguf_bad_value", "expected a list of texts");
  refused(with("bert", "", {"a"}), StatusCode::kUnsupported, "unknown_tokenizer", "\"bert\"");
  refused(with("gpt2", "jina-v2", {"a"}), StatusCode::kUnsupported, "unknown_tokenizer",
          "\"jina-v2\", expected one of gpt-2, smollm");
  refused(with("gpt2", "gpt-2", {"a", "b", "a"}), kInvalid, "gguf_bad_value", "token 2 is \"a\"");
  refused(with("gpt2", "gpt-2", {"a", "\xff"}), kInvalid, "gguf_bad_value", "token 1 is not UTF-8");
  refused(with("gpt2", "gpt-2", {"a"}), kInvalid, "gguf_bad_value", "merges: it is not there");
  refused(with("llama", "", {"a"}), kInvalid, "gguf_bad_value", "tokenizer.ggml.scores");
  GgufWriter writer = with("gpt2", "gpt-2", {"a"});
  writer.Texts("tokenizer.ggml.merges", {"ab"});
  refused(writer, kInvalid, "gguf_bad_value", "\"ab\" is not two tokens");
  writer = with("gpt2", "gpt-2", {"a"});
  writer.Integers("tokenizer.ggml.token_type", {1, 1});
  refused(writer, kInvalid, "gguf_bad_value", "found 2 kinds");
  writer = with("gpt2", "gpt-2", {"a"});
  writer.Integers("tokenizer.ggml.token_type", {7});
  refused(writer, kInvalid, "gguf_bad_value", "no known kind");
  writer = with("llama", "", {"a", std::string(600, 'b')});
  writer.Numbers("tokenizer.ggml.scores", {0, 0});
  refused(writer, kInvalid, "gguf_bad_value", "600 bytes");
  writer = with("gpt2", "gpt-2", {"a"});
  writer.Texts("tokenizer.ggml.merges", {});
  writer.Integer("tokenizer.ggml.bos_token_id", 1);
  refused(writer, kInvalid, "gguf_bad_value", "found 1, and there are 1 tokens");
  writer = with("gpt2", "gpt-2", {"a"});
  writer.Texts("tokenizer.ggml.merges", {});
  writer.Flag("tokenizer.ggml.add_bos_token", true);
  refused(writer, kInvalid, "gguf_bad_value", "no bos_token_id");
}

}  // namespace
}  // namespace emend::coordinator::core::gguf_tokenizer_test
