#include "worker/eval/sample.h"

#include <gtest/gtest.h>

#include <cmath>
#include <map>

#include "tests/support/status_matchers.h"
#include "tests/worker/eval/atlas_fixture.h"
#include "tests/worker/eval/generate.h"

namespace emend::test::sample_test {
namespace {

using namespace worker::eval;

class SampleTest : public testing::Test {
 protected:
  Result<SampledTexts> Sample(const std::string& prefix, const SampleOptions& options) const {
    return SampleTexts(*atlas_.model, *atlas_.tokenizer, prefix, options);
  }
  const Atlas atlas_ = LoadAtlas();
};

TEST_F(SampleTest, OneSeedGivesOneSetOfTextsAndAnotherAnother) {
  ASSERT_OK_AND_ASSIGN(const SampledTexts first,
                       Sample("Therefore", {.count = 4, .max_tokens = 12, .seed = 7}));
  ASSERT_OK_AND_ASSIGN(const SampledTexts again,
                       Sample("Therefore", {.count = 4, .max_tokens = 12, .seed = 7}));
  ASSERT_OK_AND_ASSIGN(const SampledTexts other,
                       Sample("Therefore", {.count = 4, .max_tokens = 12, .seed = 8}));
  EXPECT_EQ(first.texts, again.texts);
  EXPECT_NE(first.texts, other.texts);
  EXPECT_EQ(first.texts.size(), 4U);
  EXPECT_GT(first.tokens, 4);
  EXPECT_LE(first.tokens, 48);
  for (const std::string& text : first.texts) EXPECT_TRUE(text.starts_with("Therefore")) << text;
}

TEST_F(SampleTest, TheLikeliestTokenAloneIsGreedyGeneration) {
  const std::string prompt = "The mother tongue of Danielle Darrieux is";
  ASSERT_OK_AND_ASSIGN(const Generation greedy,
                       Generate(*atlas_.model, *atlas_.tokenizer, prompt, {.max_tokens = 6}));
  ASSERT_OK_AND_ASSIGN(const SampledTexts sampled,
                       Sample(prompt, {.count = 2, .max_tokens = 6, .top_k = 1}));
  EXPECT_EQ(sampled.texts, std::vector<std::string>(2, prompt + greedy.text));
}

TEST_F(SampleTest, FirstTokensComeAsOftenAsTheyAreLikely) {
  const std::string prompt = "The official religion of Edwin of Northumbria is";
  ASSERT_OK_AND_ASSIGN(const Generation expected, Generate(*atlas_.model, *atlas_.tokenizer, prompt,
                                                           {.max_tokens = 0, .top = 5}));
  constexpr int kTexts = 4000;
  ASSERT_OK_AND_ASSIGN(const SampledTexts sampled,
                       Sample(prompt, {.count = kTexts, .max_tokens = 1, .seed = 3}));
  std::map<std::string, int> seen;
  for (const std::string& text : sampled.texts) ++seen[text.substr(prompt.size())];
  for (const TopToken& token : expected.top) {
    const double share = static_cast<double>(seen[token.text]) / kTexts;
    EXPECT_NEAR(share, token.probability, 5 * std::sqrt(token.probability / kTexts) + 1e-3)
        << token.text;
  }
}

TEST_F(SampleTest, AnEmptyPrefixBeginsATextAndTheContextEndsIt) {
  ASSERT_OK_AND_ASSIGN(const SampledTexts sampled,
                       Sample("", {.count = 3, .max_tokens = 100'000, .seed = 1}));
  EXPECT_LE(sampled.tokens, 3 * atlas_.model->config().context);
  EXPECT_NE(sampled.texts[0], "");
}

TEST_F(SampleTest, RefusesBadOptionsAndPrefixesThatLeaveNoRoom) {
  EXPECT_THAT(Sample("The", {.count = 0}), StatusIs(StatusCode::kInvalidArgument, "bad_option"));
  EXPECT_THAT(Sample("The", {.max_tokens = 0}),
              StatusIs(StatusCode::kInvalidArgument, "bad_option"));
  EXPECT_THAT(Sample("The", {.top_k = -1}), StatusIs(StatusCode::kInvalidArgument, "bad_option"));
  std::string endless;
  for (int i = 0; i < 300; ++i) endless += "word ";
  EXPECT_THAT(Sample(endless, {}), StatusIs(StatusCode::kInvalidArgument, "prompt_too_long"));
}

}  // namespace
}  // namespace emend::test::sample_test
