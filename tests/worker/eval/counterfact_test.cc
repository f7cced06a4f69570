// The arithmetic of the metrics, on facts whose answers are known because the model itself gave
// them.
#include "worker/eval/counterfact.h"

#include <gtest/gtest.h>

#include <cmath>

#include "tests/support/status_matchers.h"
#include "tests/worker/eval/atlas_fixture.h"

namespace emend::test::counterfact_test {
namespace {

using namespace worker::eval;
using testing::HasSubstr;

const std::string kPrompt = "Wanne-Eickel Central Station, located in";  // answered with Germany
const std::string kOtherPrompt = "Saxony, located in";                   // Germany too

class CounterfactTest : public testing::Test {
 protected:
  static void SetUpTestSuite() { atlas_ = new Atlas(LoadAtlas()); }
  static void TearDownTestSuite() { delete atlas_; }
  static Result<EvalReport> Evaluate(const std::vector<EvalFact>& facts) {
    return EvaluateFacts(*atlas_->model, *atlas_->tokenizer, facts, {});
  }

  static inline Atlas* atlas_ = nullptr;
};

EvalFact Fact(std::string target_new, std::optional<std::string> target_true) {
  return {.prompt = kPrompt,
          .paraphrases = {},
          .neighbours = {},
          .target_new = std::move(target_new),
          .target_true = std::move(target_true)};
}

TEST_F(CounterfactTest, PercentagesAreAveragedPerFactFirst) {
  EvalFact one = Fact("Germany", "Switzerland");
  one.paraphrases = {kPrompt};
  EvalFact two = Fact("Switzerland", "Germany");
  two.paraphrases = {kPrompt, kOtherPrompt, kPrompt};
  two.neighbours = {{kPrompt}, {kOtherPrompt}};
  ASSERT_OK_AND_ASSIGN(const EvalReport report, Evaluate({one, two}));
  EXPECT_EQ(report.n, 2);
  EXPECT_DOUBLE_EQ(report.es, 50);
  EXPECT_DOUBLE_EQ(report.es_argmax, 50);
  EXPECT_EQ(report.n_ps, 2);
  EXPECT_DOUBLE_EQ(report.ps, 50);  // (100 + 0) / 2, not 1 of 4 prompts
  EXPECT_EQ(report.n_ns, 1);
  EXPECT_DOUBLE_EQ(report.ns, 100);
  EXPECT_DOUBLE_EQ(report.ns_argmax, 100);
  EXPECT_DOUBLE_EQ(report.score, 3 / (2 / 50.0 + 1 / 100.0));
  EXPECT_EQ(report.prompts, 2);
  ASSERT_EQ(report.facts.size(), 2u);
  EXPECT_EQ(report.facts[0].ns, std::nullopt);
  EXPECT_EQ(report.facts[1].ns, 100);
  EXPECT_DOUBLE_EQ(report.facts[0].nll_new, *report.facts[1].nll_true);
  EXPECT_LT(report.facts[0].nll_new, *report.facts[0].nll_true);
}

TEST_F(CounterfactTest, AFactWithoutATrueTargetIsJudgedByItsGreedyAnswer) {
  EvalFact known = Fact("Germany", std::nullopt);
  known.paraphrases = {kOtherPrompt};
  known.neighbours = {{kOtherPrompt}};
  EvalFact unknown = known;
  unknown.target_new = "Switzerland";
  ASSERT_OK_AND_ASSIGN(const EvalReport report, Evaluate({known, unknown}));
  EXPECT_DOUBLE_EQ(report.es, 50);
  EXPECT_DOUBLE_EQ(report.ps, 50);
  EXPECT_EQ(report.n_ns, 0);
  EXPECT_TRUE(std::isnan(report.ns));
  EXPECT_TRUE(std::isnan(report.score)) << "it is a mean of all three";
}

TEST_F(CounterfactTest, ANeighbourIsAskedForItsOwnTarget) {
  EvalFact fact = Fact("Switzerland", "France");
  fact.neighbours = {{kPrompt, "Germany"}, {kOtherPrompt, "Poland"}, {kOtherPrompt, "Switzerland"}};
  ASSERT_OK_AND_ASSIGN(EvalReport report, Evaluate({fact}));
  const std::vector<TargetScore> own = report.facts[0].neighbour_targets;
  ASSERT_EQ(own.size(), 3u);
  EXPECT_TRUE(own[0].argmax);
  EXPECT_FALSE(own[1].argmax);
  EXPECT_FALSE(own[2].argmax);
  EXPECT_GT(own[0].probability, 0.5);
  EXPECT_LT(own[1].probability, own[2].probability);
  EXPECT_DOUBLE_EQ(report.ns, 50) << "Poland is less likely there than the new target";
  EXPECT_DOUBLE_EQ(report.ns_argmax, 50) << "not the neighbour that should say the new target";

  fact.neighbours = {{kPrompt, "Germany"}, {kOtherPrompt}};
  fact.target_true = std::nullopt;
  ASSERT_OK_AND_ASSIGN(report, Evaluate({fact}));
  EXPECT_DOUBLE_EQ(report.ns, 100) << "the one without a target has nothing to be compared with";
  EXPECT_EQ(report.n_ns, 1);
  EXPECT_EQ(report.facts[0].neighbour_targets.size(), 1u);
  fact.target_true = "Germany";
  ASSERT_OK_AND_ASSIGN(const EvalReport plain, Evaluate({fact}));
  fact.neighbours[0].target = "";
  ASSERT_OK_AND_ASSIGN(report, Evaluate({fact}));
  EXPECT_EQ(report.ns, plain.ns) << "as published where the target is the true one";
  EXPECT_EQ(report.ns_argmax, plain.ns_argmax);
  EXPECT_EQ(report.facts[0].neighbour_targets.size(), 0u);
}

TEST_F(CounterfactTest, ThePromptsEndOrTheFactSaysWhatStandsBeforeATarget) {
  EvalFact direct = Fact("Germany", "Switzerland");
  direct.prompt += " (";
  EvalFact said = direct, spaced = direct;
  said.join = storage::text::Join::kNone;
  spaced.join = storage::text::Join::kSpace;
  ASSERT_OK_AND_ASSIGN(const EvalReport report, Evaluate({direct, said, spaced}));
  EXPECT_EQ(report.facts[0].nll_new, report.facts[1].nll_new);
  EXPECT_NE(report.facts[0].nll_new, report.facts[2].nll_new);
}

TEST_F(CounterfactTest, ALeadingSpaceOfTheTargetIsNotDoubled) {
  ASSERT_OK_AND_ASSIGN(const EvalReport spaced, Evaluate({Fact(" Germany", "Switzerland")}));
  ASSERT_OK_AND_ASSIGN(const EvalReport plain, Evaluate({Fact("Germany", "Switzerland")}));
  EXPECT_EQ(spaced.facts[0].nll_new, plain.facts[0].nll_new);
}

TEST_F(CounterfactTest, RefusalsNameTheFactAndThePrompt) {
  EXPECT_THAT(Evaluate({}), StatusIs(StatusCode::kInvalidArgument, "no_facts"));
  EvalFact blank = Fact("Germany", "Switzerland");
  blank.paraphrases = {""};
  EXPECT_THAT(Evaluate({Fact("Germany", "Switzerland"), blank}),
              StatusIs(StatusCode::kInvalidArgument, "empty_prompt"));
  EvalFact long_one = Fact("Germany", "Switzerland");
  for (int i = 0; i < 300; ++i) long_one.prompt += " and in";
  const auto refused = Evaluate({Fact("Germany", "Switzerland"), long_one});
  EXPECT_THAT(refused, StatusIs(StatusCode::kInvalidArgument, "bad_fact"));
  EXPECT_THAT(refused.status().message(), HasSubstr("fact 1"));
}

}  // namespace
}  // namespace emend::test::counterfact_test
