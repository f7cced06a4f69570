// Tuning, and the preset that it keeps, with workers without a model.
#include <cmath>
#include <set>

#include "coordinator/store/preset.h"
#include "tests/coordinator/jobs/job_queue_fixture.h"

namespace emend::coordinator::operations::tune_test {
namespace {

using namespace jobs;
using worker::protocol::Evaluate;
using worker::protocol::EvaluateReply;
using worker::protocol::SolveSettings;

constexpr std::size_t kTries = 7;  // of a model of two layers

// A model that keeps more neighbours where one layer alone is edited, and answers more paraphrases
// with a clamp of 1.5.
class TuneTest : public JobQueueTest {
 protected:
  void SetUp() override {
    ASSERT_TRUE(cluster_.Prepare([this](std::size_t worker, const RequestBody& request) {
      if (const auto* solve = std::get_if<Solve>(&request)) solved_.push_back(solve->settings);
      Result<ReplyBody> reply = JobQueueTest::Answer(worker, request);
      const auto* const asked = std::get_if<Evaluate>(&request);
      if (asked == nullptr || !reply.ok()) return reply;
      auto& answer = std::get<EvaluateReply>(*reply);
      answer.es = answer.ns = 80;
      answer.perplexity = 20;
      for (auto& fact : answer.facts) fact.taken = asked->reference.has_value();
      if (!asked->reference) return reply;
      answer.ps = solved_.back().clamp_norm_factor == 1.5 ? 95 : 80;
      answer.neighbours = 3;
      answer.kept = solved_.back().layers.size() == 1 ? 90 : 60;
      answer.perplexity = 20.5;
      return reply;
    }));
  }
  json Body() { return {{"facts", Facts({"Ann", "Bob"}, "chess")}}; }
  json Commit(const std::string& subject, const json& settings = json::object()) {
    return {{"facts", Facts({subject}, "go")}, {"settings", settings}};
  }
  std::optional<store::PresetRecord> Preset() { return *store::FindPreset(cluster_.repo()); }

  std::vector<SolveSettings> solved_;
};

TEST_F(TuneTest, SettingsAreTriedAndTheBestKeptAndNothingIsCommitted) {
  const json result = ResultOf(Submit("tune", Body()));
  ASSERT_EQ(result["tries"].size(), kTries);
  EXPECT_EQ(solved_.size(), kTries);
  const json best = {{"layers", "1"}, {"clamp_norm_factor", "1.5"}, {"v_weight_decay", "0.05"}};
  EXPECT_EQ(result["preset"], best);
  EXPECT_EQ(result["chosen"], 4);
  const json& chosen = result["tries"][3];
  EXPECT_EQ(chosen["settings"], best);
  EXPECT_EQ(chosen["ps"], 95);
  EXPECT_EQ(chosen["taken"], 2);
  EXPECT_EQ(chosen["kept"], 90);
  EXPECT_EQ(chosen["perplexity_before"], 20);
  EXPECT_EQ(chosen["perplexity_after"], 20.5);
  EXPECT_NEAR(chosen["mean"], 4 / (1 / 80.0 + 1 / 95.0 + 1 / 100.0 + 1 / 90.0), 1e-9);
  EXPECT_GT(chosen["seconds"], 0);
  EXPECT_EQ(result["n"], 2);
  EXPECT_EQ(result["before"]["es"], 80);
  EXPECT_EQ(result["layers_left_out"], json::array());
  EXPECT_EQ(Messages().size(), 1U) << "the import alone";
  EXPECT_EQ(cluster_.repo().ListRefs()->size(), 1U);

  const auto preset = Preset();
  ASSERT_TRUE(preset);
  EXPECT_EQ(preset->method, "memit");
  EXPECT_EQ(preset->principal, "admin");
  const json measures = json::parse(preset->measures);
  EXPECT_EQ(measures["n"], 2);
  EXPECT_EQ(measures["default"], result["tries"][0]);
  EXPECT_EQ(measures["chosen"], chosen);
  ExpectStoreIsSound();
}

TEST_F(TuneTest, LaterCommitsAndStatisticsGoByThePresetUnlessTheyAreTold) {
  ResultOf(Submit("tune", Body()));
  const json by_preset = ResultOf(Submit("commit", Commit("Cid")))["settings"];
  EXPECT_EQ(by_preset["layers"], json({1}));
  EXPECT_EQ(by_preset["clamp_norm_factor"], 1.5);
  const json told = ResultOf(Submit("commit", Commit("Dan", {{"layers", "0,1"}})))["settings"];
  EXPECT_EQ(told["layers"], json({0, 1}));
  EXPECT_EQ(told["clamp_norm_factor"], 1.5);
  EXPECT_EQ(ResultOf(Submit("statistics", {{"lines", {"one"}}}))["layers"], json({1}));

  const json again = ResultOf(Submit("tune", Body()));
  EXPECT_EQ(again["tries"][0]["settings"]["layers"], "0,1") << "it begins with the defaults";

  ASSERT_THAT(
      store::RemovePreset(cluster_.service().journal(), cluster_.admin(), SimCluster::kRepo),
      IsOk());
  EXPECT_EQ(ResultOf(Submit("commit", Commit("Eve")))["settings"]["clamp_norm_factor"], 1);
  EXPECT_THAT(
      store::RemovePreset(cluster_.service().journal(), cluster_.admin(), SimCluster::kRepo),
      StatusIs(StatusCode::kNotFound));
}

TEST_F(TuneTest, ACommitByAnotherMethodHasItsDefaultsAndNothingOfThePreset) {
  ResultOf(Submit("tune", Body()));
  json body = Commit("Cid", {{"v_lr", "0.25"}});
  body["method"] = "rome";
  const json settings = ResultOf(Submit("commit", body))["settings"];
  EXPECT_EQ(settings["method"], "rome");
  EXPECT_EQ(settings["layers"], json({0}));
  EXPECT_EQ(settings["mom2_update_weight"], 1e-6);
  EXPECT_EQ(settings["past_keys"], 0);
  EXPECT_EQ(settings["clamp_norm_factor"], 1);
  EXPECT_EQ(settings["v_lr"], 0.25);
  EXPECT_EQ(solved_.back().method, "rome");
}

TEST_F(TuneTest, FactsThatAreHeldAreTriedToo) {
  ResultOf(Submit("commit", Body()));
  EXPECT_EQ(ResultOf(Submit("tune", Body()))["n"], 2);
  EXPECT_EQ(ResultOf(Submit("tune", {{"facts", Body()["facts"]}, {"revision", "main~1"}}))["n"], 2);
}

TEST_F(TuneTest, CancelledBetweenTwoTriesItLeavesNothing) {
  const OperationId id = Submit("tune", Body());
  while (solved_.size() < 3) cluster_.sim().RunFor(1ms);
  EXPECT_THAT(View(id).progress.phase, testing::StartsWith("try 3 of 7, best 87: "));
  ASSERT_THAT(Cancel(id), IsOk());
  EXPECT_EQ(Follow(id).state, OperationState::kCancelled);
  EXPECT_LE(solved_.size(), 3U);
  EXPECT_FALSE(Preset());
  EXPECT_EQ(Messages().size(), 1U);
  EXPECT_EQ(ResultOf(Submit("commit", Commit("Cid")))["settings"]["layers"], json({0, 1}));
  ExpectStoreIsSound();
}

TEST_F(TuneTest, ARefusedSolveEndsItWithoutAPreset) {
  const Operation ended = Follow(Submit("tune", {{"facts", Facts({"Bad"}, "chess")}}));
  EXPECT_EQ(ended.error_slug, "token_straddles_target");
  EXPECT_FALSE(Preset());
}

TEST_F(TuneTest, WithoutCovariancesOfTheDefaultLayersItEndsBeforeTheFirstTry) {
  const RepoName bare("bare");
  ResultOf(Submit("import", cluster_.ImportBody(bare, 7), {.repo = bare}));
  const Operation ended = Follow(Submit("tune", Body(), {.repo = bare}));
  EXPECT_EQ(ended.error_slug, "no_statistics");
  EXPECT_TRUE(solved_.empty());
}

TEST_F(TuneTest, ACommitWaitsForTheTuningBeforeIt) {
  const OperationId tune = Submit("tune", Body());
  const OperationId commit = Submit("commit", Commit("Cid"));
  while (!HasEnded(commit)) {
    cluster_.sim().RunFor(10ms);
    EXPECT_TRUE(HasEnded(tune) || State(commit) == OperationState::kAccepted);
  }
  EXPECT_EQ(ResultOf(commit)["settings"]["layers"], json({1}));
}

}  // namespace
}  // namespace emend::coordinator::operations::tune_test
