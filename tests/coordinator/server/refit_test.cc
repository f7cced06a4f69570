// Refits over fake workers: what leaves, what comes, and how they go back.
#include <gtest/gtest.h>

#include "tests/support/sim_cluster.h"

namespace emend::coordinator::server::refit_test {
namespace {

using nlohmann::json;
using storage::records::OperationState;
using test::SimCluster;

json CommitBody(const std::string& subject, const std::string& target) {
  return {{"facts", {{{"prompt", "{} is"}, {"subject", subject}, {"target", target}}}},
          {"settings", {{"layers", "0,1"}}},
          {"evaluate", false}};
}

class RefitTest : public testing::Test {
 protected:
  void SetUp() override {
    Run("import", cluster_.ImportBody());
    Run("statistics", cluster_.StatisticsBody());
  }

  // The result of one that succeeds.
  json Run(const std::string& kind, const json& body) {
    const storage::records::Operation ended = cluster_.Run(kind, body);
    EXPECT_EQ(ended.state, OperationState::kSucceeded) << kind << ": " << ended.error_message;
    return ended.result.empty() ? json() : json::parse(ended.result);
  }
  std::size_t Commits() {
    const auto repo = cluster_.repo();
    return repo.Log(*repo.Resolve("main"), 100)->size();
  }

  SimCluster cluster_{1, 2};
};

TEST_F(RefitTest, ARefitPutsOneBatchInPlaceOfWhatTheBranchHolds) {
  Run("commit", CommitBody("Ann", "chess"));
  const json second = Run("commit", CommitBody("Bob", "go"));
  const json refitted = Run("refit", {{"evaluate", false}});
  EXPECT_EQ(refitted["edits"], 2);
  EXPECT_EQ(refitted["removed"], 2);
  EXPECT_GT(refitted["bytes"], 0);
  EXPECT_NE(refitted["state"], second["state"]);
  EXPECT_EQ(refitted["settings"]["layers"], json({0, 1})) << "as the newest commit was solved";
  EXPECT_TRUE(Run("verify", json::object())["ok"]);

  const auto repository = cluster_.repo();
  const CommitId head = repository.Resolve("main").value();
  const storage::objects::Commit commit = repository.ReadCommit(head).value();
  EXPECT_EQ(commit.kind, storage::objects::CommitKind::kRefit);
  EXPECT_EQ(commit.message, "Refit 2 facts");
  const json back = Run("revert", {{"commit", head.Hex()}});
  EXPECT_EQ(back["state"], second["state"]) << "reverting a refit gives every byte back";
}

TEST_F(RefitTest, ACommitFromBeforeARefitIsRevertedByWhatStandsForItNow) {
  Run("commit", CommitBody("Ann", "chess"));
  Run("commit", CommitBody("Bob", "go"));
  Run("refit", {{"evaluate", false}});
  Run("refit", {{"evaluate", false}});
  const json reverted = Run("revert", {{"commit", "main~3"}});
  EXPECT_EQ(reverted["removed"], 1);
  const auto repository = cluster_.repo();
  const auto head = repository.ReadCommit(repository.Resolve("main").value()).value();
  const std::vector<EditId> left = repository.Edits(head.state).value();
  ASSERT_EQ(left.size(), 1U);
  EXPECT_EQ(repository.objects().ReadEdit(left[0]).value().facts[0].subject, "Bob");
  EXPECT_EQ(cluster_.Run("revert", {{"commit", "main~4"}}).error_slug, "nothing_to_revert");
}

TEST_F(RefitTest, ARefitWithoutACommitKeepsTheOthersFactsAlone) {
  Run("commit", CommitBody("Ann", "chess"));
  const json second = Run("commit", CommitBody("Bob", "go"));
  json body = {{"without", "main~1"}, {"preview", true}};
  const json preview = Run("refit", body);
  EXPECT_EQ(preview["edits"], 1);
  EXPECT_EQ(preview["commit"], second["commit"]) << "the head stays";
  EXPECT_EQ(preview["facts"][0]["subject"], "Bob");
  EXPECT_EQ(preview["taken_out"]["n"], 1);
  EXPECT_TRUE(preview["subtracted"].contains("evaluation"));
  EXPECT_EQ(Commits(), 3U);

  body.erase("preview");
  const json refitted = Run("refit", body);
  EXPECT_EQ(refitted["removed"], 2);
  EXPECT_EQ(Commits(), 4U);
  EXPECT_TRUE(Run("verify", json::object())["ok"]);
  EXPECT_TRUE(Run("fsck", json::object())["ok"]);
  body["without"] = "main";
  EXPECT_EQ(Run("refit", body)["edits"], 2) << "what the refit took out comes back";
}

TEST_F(RefitTest, TargetsAreSolvedForTheLayerThatTheyWereFoundIn) {
  Run("commit", CommitBody("Ann", "chess"));
  const json body = {{"evaluate", false}, {"settings", {{"layers", "0"}}}};
  EXPECT_EQ(cluster_.Run("refit", body).error_slug, "mixed_target_layers");
}

TEST_F(RefitTest, WhatWasSolvedWithoutTargetsIsRefusedUntilItIsTakenOut) {
  Run("commit", CommitBody("Ann", "chess"));
  json body = CommitBody("Bob", "go");
  body["method"] = "ultraedit";
  EXPECT_EQ(Run("commit", body)["layers"].size(), 2U);
  EXPECT_EQ(cluster_.Run("refit", {{"evaluate", false}}).error_slug, "no_target");
  const json without = {{"without", "main"}, {"evaluate", false}};
  const json refitted = Run("refit", without);
  EXPECT_EQ(refitted["edits"], 1);
  EXPECT_EQ(refitted["settings"]["method"], "memit") << "as the commit before was solved";
}

TEST_F(RefitTest, ACommitByGradientsNeedsNoStatistics) {
  SimCluster cluster(1, 2);
  ASSERT_EQ(cluster.Run("import", cluster.ImportBody()).state, OperationState::kSucceeded);
  json body = CommitBody("Ann", "chess");
  EXPECT_EQ(cluster.Run("commit", body).error_slug, "no_statistics");
  body["method"] = "ultraedit";
  const storage::records::Operation ended = cluster.Run("commit", body);
  ASSERT_EQ(ended.state, OperationState::kSucceeded) << ended.error_message;
  const json result = json::parse(ended.result);
  EXPECT_TRUE(result["statistics"].is_null());
  EXPECT_EQ(result["settings"]["context_templates"], json::parse(R"([["{}"]])"));
}

TEST_F(RefitTest, ARefitOfNothingSaysSo) {
  EXPECT_EQ(cluster_.Run("refit", json::object()).error_slug, "nothing_to_refit");
}

}  // namespace
}  // namespace emend::coordinator::server::refit_test
