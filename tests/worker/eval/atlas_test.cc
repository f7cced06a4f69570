// CounterFact's metrics on the demo model, against the figures of the published evaluation code on
// the same 100 records.
#include <gtest/gtest.h>

#include "tests/support/status_matchers.h"
#include "tests/worker/eval/atlas_fixture.h"
#include "tests/worker/eval/generate.h"

namespace emend::test::atlas_test {
namespace {

using namespace worker::eval;

TEST(AtlasTest, UneditedModelHasThePublishedScores) {
  const Atlas atlas = LoadAtlas();
  ASSERT_OK_AND_ASSIGN(const EvalReport report,
                       EvaluateFacts(*atlas.model, *atlas.tokenizer, AtlasFacts(100), {}));
  EXPECT_EQ(report.n, 100);
  EXPECT_EQ(report.n_ps, 100);
  EXPECT_EQ(report.n_ns, 100);
  EXPECT_DOUBLE_EQ(report.es, 0);
  EXPECT_DOUBLE_EQ(report.ps, 0);
  EXPECT_NEAR(report.ns, 99.6, 1e-9);
  EXPECT_DOUBLE_EQ(report.score, 0);
  EXPECT_DOUBLE_EQ(report.es_argmax, 0);
  EXPECT_DOUBLE_EQ(report.ps_argmax, 0);
  EXPECT_NEAR(report.ns_argmax, 98.2, 1e-9);
}

TEST(AtlasTest, TheTrueTargetsTurnTheScoresAround) {
  const Atlas atlas = LoadAtlas();
  std::vector<EvalFact> facts = AtlasFacts(10);
  for (EvalFact& fact : facts) std::swap(fact.target_new, *fact.target_true);
  ASSERT_OK_AND_ASSIGN(const EvalReport report,
                       EvaluateFacts(*atlas.model, *atlas.tokenizer, facts, {}));
  EXPECT_DOUBLE_EQ(report.es, 100);
  EXPECT_DOUBLE_EQ(report.ps, 100);
  EXPECT_LT(report.ns, 1);
}

TEST(AtlasTest, AsksAndNamesTheLikeliestTokens) {
  const Atlas atlas = LoadAtlas();
  const std::string prompt = "Wanne-Eickel Central Station, located in";
  ASSERT_OK_AND_ASSIGN(const Generation answer, Generate(*atlas.model, *atlas.tokenizer, prompt,
                                                         {.max_tokens = 4, .top = 3}));
  ASSERT_EQ(answer.top.size(), 3u);
  EXPECT_EQ(answer.top[0].text, " Germany");
  EXPECT_GT(answer.top[0].probability, 0.5);
  EXPECT_TRUE(answer.text.starts_with(" Germany")) << answer.text;
  EXPECT_EQ(answer.tokens[0], answer.top[0].id);
}

}  // namespace
}  // namespace emend::test::atlas_test
