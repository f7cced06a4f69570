// Whom an answer is blamed on, over fake workers.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/support/sim_cluster.h"
#include "tests/support/status_matchers.h"

namespace emend::coordinator::server::blame_test {
namespace {

using nlohmann::json;
using storage::records::OperationState;
using test::IsOk;
using test::SimCluster;

class BlameTest : public testing::Test {
 protected:
  void SetUp() override {
    Run("import", cluster_.ImportBody());
    Run("statistics", cluster_.StatisticsBody());
    CommitFact("main", "Ann");
  }
  // The result of one that succeeds.
  json Run(const std::string& kind, const json& body) {
    const storage::records::Operation ended = cluster_.Run(kind, body);
    EXPECT_EQ(ended.state, OperationState::kSucceeded) << kind << ": " << ended.error_message;
    return ended.result.empty() ? json() : json::parse(ended.result);
  }
  json CommitFact(const std::string& branch, const std::string& subject) {
    return Run("commit",
               {{"branch", branch},
                {"facts", {{{"prompt", "{} is"}, {"subject", subject}, {"target", "tall"}}}},
                {"settings", {{"layers", "0,1"}}},
                {"message", "About " + subject},
                {"evaluate", false}});
  }
  // The state's first edit: what the workers' answers hang on.
  EditId FirstEdit(const std::string& revision = "main") {
    const auto repo = cluster_.repo();
    return repo.Edits(repo.ReadCommit(repo.Resolve(revision).value())->state).value().front();
  }

  SimCluster cluster_{1, 2};
};

TEST_F(BlameTest, AnAnswerIsBlamedOnTheEditThatItHangsOnAndItsCommit) {
  CommitFact("main", "Bob");
  CommitFact("main", "Cid");
  const json blamed = Run("blame", {{"prompt", "Who is tall?"}});
  const auto repo = cluster_.repo();
  EXPECT_EQ(blamed["commit"], repo.Resolve("main")->Hex());
  EXPECT_EQ(blamed["answer"], "said");
  EXPECT_EQ(blamed["origin"], "edits");
  EXPECT_EQ(blamed["log_probability"], -1);
  EXPECT_EQ(blamed["log_probability_base"], -9);
  ASSERT_EQ(blamed["edits"].size(), 3U);
  const json& first = blamed["edits"][0];
  EXPECT_EQ(first["edit"], FirstEdit().Hex());
  EXPECT_EQ(first["log_probability_without"], -8);
  EXPECT_EQ(first["change"], 7);
  EXPECT_EQ(first["matters"], true);
  EXPECT_EQ(first["author"], cluster_.admin().principal.name);
  const std::string subject = first["fact"]["subject"];
  EXPECT_EQ(first["message"], "About " + subject);
  const auto commit = repo.ReadCommit(repo.Resolve(first["commit"].get<std::string>()).value());
  ASSERT_THAT(commit, IsOk());
  EXPECT_THAT(commit->added, ::testing::ElementsAre(FirstEdit()));
  EXPECT_EQ(blamed["edits"][1]["matters"], false);
  EXPECT_EQ(
      Run("blame", {{"prompt", "Who?"}, {"answer", "Ann"}, {"candidates", 1}})["edits"].size(), 1U);
}

TEST_F(BlameTest, AMergeIsNotBlamedForWhatItBroughtIn) {
  EXPECT_THAT(cluster_.MoveRef({.name = "side", .revision = "main"}), IsOk());
  Run("revert", {{"commit", "main"}});
  const json beside = CommitFact("side", "Bob");
  Run("merge", {{"revision", "side"}});
  const json blamed = Run("blame", {{"prompt", "Who is tall?"}});
  ASSERT_EQ(blamed["edits"].size(), 1U);
  EXPECT_EQ(blamed["edits"][0]["commit"], beside["commit"]);
}

TEST_F(BlameTest, WhatHangsOnNoEditIsTheBasesOwn) {
  const json blamed = Run("blame", {{"prompt", "nobody's"}});
  EXPECT_EQ(blamed["origin"], "base");
  EXPECT_EQ(blamed["edits"][0]["matters"], false);
  Run("revert", {{"commit", "main"}});
  EXPECT_EQ(Run("blame", {{"prompt", "nobody's"}})["edits"], json::array());
  EXPECT_EQ(Run("blame", {{"prompt", "Who is tall?"}})["origin"], "together")
      << "the worker says that edits which are not there made it likelier";
}

TEST_F(BlameTest, WhatCannotBeAskedIsRefusedAtOnce) {
  for (const json& body :
       {json::object(), json{{"prompt", ""}}, json{{"prompt", "p"}, {"answer", ""}},
        json{{"prompt", "p"}, {"candidates", 0}}, json{{"prompt", "p"}, {"tokens_max", 65}}}) {
    const std::string text = body.dump();
    EXPECT_THAT(*cluster_.sim().Await(cluster_.service().Submit(
                    cluster_.admin(), {"blame", SimCluster::kRepo, text, "", Sha256(text)})),
                test::StatusIs(StatusCode::kInvalidArgument))
        << text;
  }
}

}  // namespace
}  // namespace emend::coordinator::server::blame_test
