#include "worker/eval/token_sampler.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <map>

#include "tests/support/status_matchers.h"

namespace emend::test::token_sampler_test {
namespace {

using namespace worker::eval;
using worker::tokenizer::TokenId;

// Of these probabilities, which add up to 1.
std::vector<float> LogitsOf(const std::vector<double>& probabilities) {
  std::vector<float> logits;
  for (const double probability : probabilities)
    logits.push_back(static_cast<float>(std::log(probability) + 3));
  return logits;
}

// How often each token is drawn, as a share.
std::map<TokenId, double> Shares(const SamplingOptions& options, const std::vector<float>& logits) {
  constexpr int kDraws = 20000;
  TokenSampler sampler(options);
  std::map<TokenId, double> shares;
  for (int i = 0; i < kDraws; ++i) {
    const auto token = sampler.Draw(logits);
    EXPECT_THAT(token.status(), IsOk());
    shares[*token] += 1.0 / kDraws;
  }
  return shares;
}

void ExpectShares(const std::map<TokenId, double>& found,
                  const std::map<TokenId, double>& expected) {
  for (const auto& [token, share] : found) EXPECT_TRUE(expected.contains(token)) << token;
  for (const auto& [token, share] : expected)
    EXPECT_NEAR(found.contains(token) ? found.at(token) : 0.0, share, 0.015) << token;
}

const std::vector<double> kSkewed = {0.05, 0.4, 0.1, 0.3, 0.15};

TEST(TokenSamplerTest, TemperatureZeroTakesTheFirstOfTheLikeliest) {
  TokenSampler sampler({.temperature = 0});
  ASSERT_OK_AND_ASSIGN(const TokenId token, sampler.Draw(std::vector<float>{1, 7, 2, 7}));
  EXPECT_EQ(token, 1);
}

TEST(TokenSamplerTest, TokensComeAsOftenAsTheyAreLikely) {
  ExpectShares(Shares({.seed = 1}, LogitsOf(kSkewed)),
               {{0, 0.05}, {1, 0.4}, {2, 0.1}, {3, 0.3}, {4, 0.15}});
}

TEST(TokenSamplerTest, TemperatureSharpensAndFlattens) {
  const double total = 0.05 * 0.05 + 0.4 * 0.4 + 0.1 * 0.1 + 0.3 * 0.3 + 0.15 * 0.15;
  std::map<TokenId, double> squared;
  for (TokenId i = 0; i < 5; ++i)
    squared[i] =
        kSkewed[static_cast<std::size_t>(i)] * kSkewed[static_cast<std::size_t>(i)] / total;
  ExpectShares(Shares({.temperature = 0.5, .seed = 2}, LogitsOf(kSkewed)), squared);
  ExpectShares(Shares({.temperature = 1e9, .seed = 2}, LogitsOf(kSkewed)),
               {{0, 0.2}, {1, 0.2}, {2, 0.2}, {3, 0.2}, {4, 0.2}});
  ExpectShares(Shares({.temperature = 1e-300, .seed = 2}, LogitsOf(kSkewed)), {{1, 1.0}});
}

TEST(TokenSamplerTest, TopKAndTopPCutTheTail) {
  ExpectShares(Shares({.top_k = 2, .seed = 3}, LogitsOf(kSkewed)), {{1, 4.0 / 7}, {3, 3.0 / 7}});
  ExpectShares(Shares({.top_p = 0.71, .seed = 3}, LogitsOf(kSkewed)),
               {{1, 0.4 / 0.85}, {3, 0.3 / 0.85}, {4, 0.15 / 0.85}});
  ExpectShares(Shares({.top_p = 0.3, .seed = 3}, LogitsOf(kSkewed)), {{1, 1.0}});
  // Of the two likeliest the first has 4/7.
  ExpectShares(Shares({.top_p = 0.5, .top_k = 2, .seed = 3}, LogitsOf(kSkewed)), {{1, 1.0}});
  ExpectShares(Shares({.top_p = 1e-12, .top_k = 100, .seed = 3}, LogitsOf(kSkewed)), {{1, 1.0}});
}

TEST(TokenSamplerTest, OneSeedGivesOneSequence) {
  const std::vector<float> logits(1000, 0.5F);
  const auto draw = [&](std::uint64_t seed) {
    TokenSampler sampler({.top_p = 0.9, .seed = seed});
    std::vector<TokenId> tokens;
    for (int i = 0; i < 20; ++i) tokens.push_back(*sampler.Draw(logits));
    return tokens;
  };
  EXPECT_EQ(draw(7), draw(7));
  EXPECT_NE(draw(7), draw(8));
}

TEST(TokenSamplerTest, RefusesLogitsThatAreNotFinite) {
  for (const float bad :
       {std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity()}) {
    for (const double temperature : {0.0, 1.0}) {
      TokenSampler sampler({.temperature = temperature});
      EXPECT_THAT(sampler.Draw(std::vector<float>{1, bad, 2}),
                  StatusIs(StatusCode::kInternal, "non_finite_logits"));
    }
  }
}

TEST(TokenSamplerTest, RefusesOptionsOutOfBounds) {
  EXPECT_THAT(TokenSampler::Check({.temperature = 2, .top_p = 1, .top_k = 5}), IsOk());
  for (const SamplingOptions& bad : std::vector<SamplingOptions>{{.temperature = -0.1},
                                                                 {.temperature = std::nan("")},
                                                                 {.top_p = 0},
                                                                 {.top_p = 1.01},
                                                                 {.top_k = -1}}) {
    EXPECT_THAT(TokenSampler::Check(bad), StatusIs(StatusCode::kInvalidArgument, "bad_option"));
  }
}

TEST(LogprobTest, NamesTheTokenAndTheLikeliestBesideIt) {
  const TokenLogprob found = LogprobOf(LogitsOf({0.05, 0.3, 0.1, 0.3, 0.25}), 2, 3);
  EXPECT_EQ(found.token.id, 2);
  EXPECT_NEAR(found.token.logprob, std::log(0.1), 1e-6);
  ASSERT_EQ(found.top.size(), 3U);
  EXPECT_EQ(found.top[0].id, 1);
  EXPECT_EQ(found.top[1].id, 3);
  EXPECT_EQ(found.top[2].id, 4);
  EXPECT_NEAR(found.top[2].logprob, std::log(0.25), 1e-6);
  EXPECT_TRUE(LogprobOf(LogitsOf(kSkewed), 0, 0).top.empty());
  EXPECT_EQ(LogprobOf(LogitsOf(kSkewed), 0, 100).top.size(), 5U);
}

}  // namespace
}  // namespace emend::test::token_sampler_test
