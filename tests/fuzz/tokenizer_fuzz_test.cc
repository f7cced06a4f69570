#include <gtest/gtest.h>

#include "storage/base/utf8.h"
#include "tests/fuzz/mutations.h"
#include "tests/worker/tokenizer/tokenizer_fixture.h"
#include "worker/tokenizer/charsmap.h"
#include "worker/tokenizer/unicode.h"

namespace emend::worker::tokenizer::tokenizer_fuzz_test {
namespace {

constexpr std::uint64_t kFilesEach = 150;

// What a damaged file may do: be refused with a reason, or be a tokenizer that works.
void ExpectRefusedOrUsable(const Result<std::unique_ptr<Tokenizer>>& tokenizer, std::uint64_t seed,
                           int* refused) {
  if (!tokenizer.ok()) {
    ++*refused;
    EXPECT_NE(tokenizer.status().code(), StatusCode::kInternal) << "seed " << seed;
    EXPECT_GT(tokenizer.status().message().size(), 20u) << "seed " << seed;
    return;
  }
  for (const std::string& text :
       {RandomText(seed).Next(), std::string("[MASK] word   <s> <|endoftext|> caf\xc3\xa9 3456")}) {
    const auto tokens = (*tokenizer)->Encode(text, SpecialTokens::kWithTemplate);
    if (!tokens.ok()) continue;
    for (const Token& token : *tokens) EXPECT_LE(token.end, text.size()) << "seed " << seed;
    static_cast<void>((*tokenizer)->Decode(Ids(*tokens)));
  }
}

class DamagedTokenizerTest : public testing::TestWithParam<std::string> {};

TEST_P(DamagedTokenizerTest, DamagedBytesAreRefusedOrHarmless) {
  const std::string file = ReadFile(TokenizerPath(GetParam()));
  int refused = 0;
  for (std::uint64_t seed = 0; seed < kFilesEach; ++seed)
    ExpectRefusedOrUsable(Tokenizer::FromJson(test::Mutator(seed).Bytes(file)), seed, &refused);
  EXPECT_GT(refused, static_cast<int>(kFilesEach) / 3);
}

TEST_P(DamagedTokenizerTest, DamagedValuesAreRefusedOrHarmless) {
  const nlohmann::json file = nlohmann::json::parse(ReadFile(TokenizerPath(GetParam())));
  int refused = 0;
  for (std::uint64_t seed = 0; seed < kFilesEach; ++seed)
    ExpectRefusedOrUsable(Tokenizer::FromJson(test::Mutator(seed).Values(file).dump()), seed,
                          &refused);
  EXPECT_GT(refused, static_cast<int>(kFilesEach) / 3);
}

INSTANTIATE_TEST_SUITE_P(EveryPipeline, DamagedTokenizerTest,
                         testing::Values("llama3", "flags", "llama2", "metaspace", "gemma", "t5",
                                         "unigram_bytes"),
                         [](const auto& test) { return test.param; });

// Every step of every kind in turn, each with its values damaged.
TEST(DamagedComponentTest, DamagedValuesAreRefusedOrHarmless) {
  const nlohmann::json base = nlohmann::json::parse(ReadFile(TokenizerPath("components")));
  const nlohmann::json cases =
      nlohmann::json::parse(ReadFile(kGoldenFolder + "components.golden.json"));
  int refused = 0;
  for (std::uint64_t seed = 0; seed < 10 * cases.size(); ++seed) {
    nlohmann::json part = cases[seed % cases.size()];
    part.erase("rows");
    const std::string place = part.begin().key();
    nlohmann::json file = base;
    file[place] = test::Mutator(seed).Values(part[place]);
    ExpectRefusedOrUsable(Tokenizer::FromJson(file.dump()), seed, &refused);
  }
  EXPECT_GT(refused, static_cast<int>(cases.size()));
}

class DamagedSentencePieceTest : public testing::TestWithParam<std::string> {};

TEST_P(DamagedSentencePieceTest, DamagedBytesAreRefusedOrHarmless) {
  const std::string model = ReadFile(SentencePiecePath(GetParam()));
  const std::string config =
      R"({"add_bos_token":true,"add_eos_token":true,"added_tokens_decoder":{"900":{"content":"<x>"}}})";
  int refused = 0;
  for (std::uint64_t seed = 0; seed < 4 * kFilesEach; ++seed) {
    // The pieces come first; what follows is mostly the charsmap.
    const std::size_t pieces = std::min<std::size_t>(model.size(), 10'000);
    const bool of_config = seed % 4 == 0;
    SentencePieceFiles files{.model = model, .tokenizer_config = config, .added_tokens = ""};
    test::Mutator mutator(seed);
    if (of_config) {
      files.tokenizer_config = mutator.Values(nlohmann::json::parse(config)).dump();
    } else if (seed % 4 == 1) {
      files.model = mutator.Bytes(model);
    } else {
      files.model = mutator.Bytes(model.substr(0, pieces)) + model.substr(pieces);
    }
    ExpectRefusedOrUsable(Tokenizer::FromSentencePiece(files), seed, &refused);
  }
  EXPECT_GT(refused, static_cast<int>(kFilesEach) / 2);
}

INSTANTIATE_TEST_SUITE_P(EveryModel, DamagedSentencePieceTest,
                         testing::Values("sp_unigram_bytes", "sp_bpe", "sp_gemma"),
                         [](const auto& test) { return test.param; });

// Bytes that stay a charsmap by their form; its trie leads anywhere.
TEST(DamagedCharsmapTest, DamagedTriesAreHarmless) {
  const nlohmann::json file = nlohmann::json::parse(ReadFile(TokenizerPath("t5")));
  const auto base64 = file["normalizer"]["precompiled_charsmap"].get<std::string>();
  int rewritten = 0;
  for (std::uint64_t seed = 0; seed < kFilesEach; ++seed) {
    std::string damaged = base64;
    test::Mutator mutator(seed);
    // The first eight characters say how large the trie is.
    for (int i = 0; i < 20'000; ++i)
      damaged[8 + mutator.Below(damaged.size() / 2)] = base64[8 + mutator.Below(1000)];
    const auto charsmap = Charsmap::FromBase64(damaged);
    ASSERT_TRUE(charsmap.ok()) << charsmap.status().ToString();
    const std::string text = RandomText(seed).Next() + "\xe2\x85\xa7 \xef\xbc\xa1";
    for (std::size_t at = 0; at < text.size(); at += CodePointAt(text, at).size) {
      for (const auto choice : {Charsmap::Choice::kShortest, Charsmap::Choice::kLongest}) {
        const auto rule = charsmap->RuleFor(std::string_view(text).substr(at), choice);
        if (!rule.has_value()) continue;
        ++rewritten;
        EXPECT_LE(at + rule->bytes, text.size()) << "seed " << seed;
        EXPECT_EQ(FirstInvalidUtf8(rule->text), std::nullopt) << "seed " << seed;
      }
    }
  }
  EXPECT_GT(rewritten, 100);
}

}  // namespace
}  // namespace emend::worker::tokenizer::tokenizer_fuzz_test
