#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <sstream>

#include "tests/worker/tokenizer/tokenizer_fixture.h"

namespace emend::worker::tokenizer::golden_test {
namespace {

using nlohmann::json;
using testing::ElementsAreArray;

// Llama.cpp's vocabulary test: texts between marker lines, ids a line each.
TEST(Gpt2GoldenTest, EveryTextHasThePublishedIds) {
  const auto tokenizer = OpenTokenizer("gpt2");
  const std::string marker = "\n__ggml_vocab_test__\n";
  const std::string texts = ReadFile(kGoldenFolder + "gpt-2.inp");
  std::istringstream ids_of_texts(ReadFile(kGoldenFolder + "gpt-2.out"));
  std::size_t begin = 0;
  int compared = 0;
  for (std::string line; std::getline(ids_of_texts, line); ++compared) {
    const std::size_t end = texts.find(marker, begin);
    ASSERT_NE(end, std::string::npos);
    std::istringstream numbers(line);
    const std::vector<TokenId> expected{std::istream_iterator<TokenId>(numbers), {}};
    const auto tokens = tokenizer->Encode(texts.substr(begin, end - begin));
    ASSERT_TRUE(tokens.ok()) << tokens.status().ToString();
    EXPECT_THAT(Ids(*tokens), ElementsAreArray(expected)) << "text " << compared;
    begin = end + marker.size();
  }
  EXPECT_EQ(compared, 46);
  EXPECT_EQ(begin, texts.size());
}

class GoldenTest : public testing::TestWithParam<std::string> {
 protected:
  GoldenTest()
      : tokenizer_(OpenTokenizer(GetParam())),
        rows_(json::parse(ReadFile(kGoldenFolder + GetParam() + ".golden.json"))) {}

  std::unique_ptr<Tokenizer> tokenizer_;
  json rows_;
};

TEST_P(GoldenTest, EncodesAsTheReferenceDoes) {
  ASSERT_GE(rows_.size(), 50u);
  for (const json& row : rows_) {
    const auto text = row["text"].get<std::string>();
    const auto plain = tokenizer_->Encode(text);
    const auto with_template = tokenizer_->Encode(text, SpecialTokens::kWithTemplate);
    ASSERT_TRUE(plain.ok()) << plain.status().ToString();
    ASSERT_TRUE(with_template.ok()) << with_template.status().ToString();
    EXPECT_THAT(Ids(*plain), ElementsAreArray(row["ids"].get<std::vector<TokenId>>()))
        << row["text"];
    EXPECT_THAT(Ids(*with_template),
                ElementsAreArray(row["with_template"].get<std::vector<TokenId>>()))
        << row["text"];
  }
}

TEST_P(GoldenTest, DecodesAsTheReferenceDoes) {
  for (const json& row : rows_) {
    if (!row.contains("decoded")) continue;
    EXPECT_EQ(tokenizer_->Decode(row["ids"].get<std::vector<TokenId>>()),
              row["decoded"].get<std::string>())
        << row["text"];
  }
}

// Each component in its place in one small tokenizer.
TEST(ComponentGoldenTest, RewritesCutsAndDecodesAsTheReferenceDoes) {
  const json base = json::parse(ReadFile(TokenizerPath("components")));
  const json t5 = json::parse(ReadFile(TokenizerPath("t5")));
  const json cases = json::parse(ReadFile(kGoldenFolder + "components.golden.json"));
  ASSERT_EQ(cases.size(), 65u);
  for (json each : cases) {
    const json rows = each["rows"];
    each.erase("rows");
    SCOPED_TRACE(each.dump());
    // it is large, and no other than that of T5's form
    if (each.value("/normalizer/type"_json_pointer, "") == "Precompiled")
      each["normalizer"] = t5["normalizer"];
    json file = base;
    file.update(each);
    const auto tokenizer = Tokenizer::FromJson(file.dump());
    ASSERT_TRUE(tokenizer.ok()) << tokenizer.status().ToString();
    for (const json& row : rows) {
      const auto tokens = (*tokenizer)->Encode(row["text"].get<std::string>());
      ASSERT_TRUE(tokens.ok()) << tokens.status().ToString();
      EXPECT_THAT(Ids(*tokens), ElementsAreArray(row["ids"].get<std::vector<TokenId>>()))
          << row["text"];
      EXPECT_EQ((*tokenizer)->Decode(Ids(*tokens)), row["decoded"].get<std::string>())
          << row["text"];
    }
  }
}

INSTANTIATE_TEST_SUITE_P(EveryPipeline, GoldenTest,
                         testing::Values("atlas", "llama3", "qwen2", "neox", "flags", "llama2",
                                         "metaspace", "tekken", "olmo2", "smollm", "pythia", "phi3",
                                         "gemma", "t5", "unigram_bytes", "sp_unigram",
                                         "sp_unigram_bytes", "sp_bpe", "sp_bpe_bytes", "sp_llama",
                                         "sp_gemma"),
                         [](const auto& test) { return test.param; });

}  // namespace
}  // namespace emend::worker::tokenizer::golden_test
