#include <gtest/gtest.h>

#include "tests/fuzz/mutations.h"
#include "tests/worker/tokenizer/tokenizer_fixture.h"

namespace emend::worker::tokenizer::tokenizer_fuzz_test {
namespace {

constexpr std::uint64_t kFilesEach = 150;

// What a damaged file may do: be refused with a reason, or be a tokenizer that works.
void ExpectRefusedOrUsable(const std::string& file, std::uint64_t seed, int* refused) {
  const auto tokenizer = Tokenizer::FromJson(file);
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
    ExpectRefusedOrUsable(test::Mutator(seed).Bytes(file), seed, &refused);
  EXPECT_GT(refused, static_cast<int>(kFilesEach) / 3);
}

TEST_P(DamagedTokenizerTest, DamagedValuesAreRefusedOrHarmless) {
  const nlohmann::json file = nlohmann::json::parse(ReadFile(TokenizerPath(GetParam())));
  int refused = 0;
  for (std::uint64_t seed = 0; seed < kFilesEach; ++seed)
    ExpectRefusedOrUsable(test::Mutator(seed).Values(file).dump(), seed, &refused);
  EXPECT_GT(refused, static_cast<int>(kFilesEach) / 3);
}

INSTANTIATE_TEST_SUITE_P(EveryPipeline, DamagedTokenizerTest,
                         testing::Values("llama3", "flags", "llama2", "metaspace"),
                         [](const auto& test) { return test.param; });

}  // namespace
}  // namespace emend::worker::tokenizer::tokenizer_fuzz_test
