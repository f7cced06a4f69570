// What is solved together: like commits on one branch, and how each of them ends.
#include "storage/base/failpoint.h"
#include "tests/coordinator/jobs/job_queue_fixture.h"

namespace emend::coordinator::jobs::job_groups_test {
namespace {

TEST_F(JobQueueTest, LikeCommitsAreOneSolveAndStayCommitsOfTheirOwn) {
  const OperationId first = Submit("commit", CommitBody({"Ann"}, "chess"));
  const OperationId second = Submit("commit", CommitBody({"Bob", "Cid"}, "go"), {.by = "ada"});
  json repeated = CommitBody({"Dan"}, "whist");
  repeated["facts"].push_back(repeated["facts"][0]);
  const OperationId third = Submit("commit", repeated, {.by = "bob"});
  const OperationId held = Submit("commit", CommitBody({"Eve"}, "golf"));
  const json a = ResultOf(first);
  const json b = ResultOf(second);
  const json c = ResultOf(third);
  const json d = ResultOf(held);
  EXPECT_THAT(SolvedSubjects(),
              ElementsAre(ElementsAre("Ann"), ElementsAre("Bob", "Cid", "Dan", "Eve")));
  EXPECT_THAT(Messages(), ElementsAre("about Eve", "about Dan", "about Bob", "about Ann",
                                      "Import a small model"));

  const auto log = Log();
  EXPECT_EQ(log[0].id.Hex(), d["commit"]);
  EXPECT_EQ(log[1].id.Hex(), c["commit"]);
  EXPECT_EQ(log[2].id.Hex(), b["commit"]);
  EXPECT_EQ(log[1].commit.state.Hex(), c["state"]);
  EXPECT_EQ(log[1].commit.author, "bob");
  EXPECT_EQ(log[2].commit.author, "ada");
  EXPECT_EQ(log[1].commit.parents, std::vector<CommitId>{log[2].id});
  EXPECT_EQ(log[2].commit.added.size(), 2U);
  EXPECT_EQ(a["coalesced"], json::array());
  EXPECT_EQ(b["coalesced"], json::array({third.value(), held.value()}));
  EXPECT_EQ(c["coalesced"], json::array({second.value(), held.value()}));
  EXPECT_EQ(b["edits"], 2);
  EXPECT_EQ(c["edits"], 1);
  EXPECT_EQ(c["duplicates"], 1);
  EXPECT_EQ(b["evaluation"]["after"]["n"], 2) << "each is measured on its own facts";
  EXPECT_EQ(c["evaluation"]["before"]["n"], 1);
  ExpectStoreIsSound();
}

TEST_F(JobQueueTest, ReflogAndAuditSayWhoOfThoseTogetherDidWhat) {
  Submit("commit", CommitBody({"Ann"}, "chess"));
  const OperationId second = Submit("commit", CommitBody({"Bob"}, "go"), {.by = "ada"});
  const OperationId third = Submit("commit", CommitBody({"Cid"}, "whist"), {.by = "bob"});
  EXPECT_EQ(ResultOf(third)["coalesced"], json::array({second.value()}));
  const auto reflog = *cluster_.repo().Reflog("main", 2);
  EXPECT_EQ(reflog[0].principal, "bob");
  EXPECT_EQ(reflog[0].reason, "commit: about Cid");
  EXPECT_EQ(reflog[1].principal, "ada");
  std::vector<std::string> acts;
  const auto entries = *cluster_.service().journal().ReadPageBefore(0, 4);
  for (const auto& entry : entries) acts.push_back(entry.principal.name + " " + entry.act.act);
  EXPECT_THAT(acts, ElementsAre("bob operation.succeed", "bob commit.create",
                                "ada operation.succeed", "ada commit.create"))
      << "newest first, in one commit";
}

TEST_F(JobQueueTest, TogetherOrAloneTheHistoryHasTheSameShape) {
  const std::vector<json> bodies = {CommitBody({"Ann", "Bob"}, "chess"), CommitBody({"Cid"}, "go"),
                                    CommitBody({"Bob", "Dan"}, "whist"),
                                    CommitBody({"Cid", "Eve"}, "go"), CommitBody({"Ann"}, "chess")};
  const auto shape = [](const json& result) {
    return std::vector<std::size_t>{result["edits"], result["superseded"], result["skipped"],
                                    result["duplicates"], result["evaluation"].size()};
  };
  std::vector<std::vector<std::size_t>> alone;
  MakeBranch("alone");
  for (json body : bodies) {
    body["branch"] = "alone";
    alone.push_back(shape(ResultOf(Submit("commit", body))));
  }
  solves_.clear();
  std::vector<OperationId> ids;
  for (const json& body : bodies) ids.push_back(Submit("commit", body));
  std::vector<std::vector<std::size_t>> together;
  for (const OperationId& id : ids) together.push_back(shape(ResultOf(id)));
  EXPECT_EQ(together, alone);
  EXPECT_THAT(SolvedSubjects(), ElementsAre(ElementsAre("Ann", "Bob"),
                                            ElementsAre("Cid", "Bob", "Dan"), ElementsAre("Eve")))
      << "Cid's slot ends the group";
  EXPECT_EQ(Messages(), Messages("alone"));
  const auto main = Log();
  const auto other = Log("alone");
  for (std::size_t i = 0; i < main.size(); ++i) {
    EXPECT_EQ(main[i].commit.added.size(), other[i].commit.added.size());
    EXPECT_EQ(main[i].commit.removed.size(), other[i].commit.removed.size());
    EXPECT_EQ(main[i].commit.settings, other[i].commit.settings);
  }
  ExpectStoreIsSound();
}

TEST_F(JobQueueTest, AMemberWhoseFactsAreAllHeldMakesNoCommit) {
  ResultOf(Submit("commit", CommitBody({"Ann"}, "chess")));
  Submit("commit", CommitBody({"Zoe"}, "polo"));
  const OperationId before = Submit("commit", CommitBody({"Bob"}, "go"));
  const OperationId held = Submit("commit", CommitBody({"Ann"}, "chess"));
  const OperationId after = Submit("commit", CommitBody({"Cid"}, "whist"));
  const json nothing = ResultOf(held);
  EXPECT_EQ(nothing["edits"], 0);
  EXPECT_EQ(nothing["skipped"], 1);
  EXPECT_EQ(nothing["commit"], ResultOf(before)["commit"]) << "the head at its place";
  EXPECT_EQ(nothing["coalesced"], json::array());
  EXPECT_EQ(ResultOf(before)["coalesced"], json::array({after.value()}));
  EXPECT_EQ(Messages().size(), 5U);
}

TEST_F(JobQueueTest, OneBadMemberFailsAloneAndTheOthersAreDone) {
  const OperationId first = Submit("commit", CommitBody({"Ann"}, "chess"));
  const OperationId good = Submit("commit", CommitBody({"Bob"}, "go"));
  const OperationId bad = Submit("commit", CommitBody({"Bad"}, "whist"));
  json contradiction = CommitBody({"Cid"}, "golf");
  contradiction["facts"].push_back(Facts({"Cid"}, "polo")[0]);
  const OperationId torn = Submit("commit", contradiction);
  const OperationId fine = Submit("commit", CommitBody({"Dan"}, "darts"));
  EXPECT_EQ(Follow(bad).error_slug, "token_straddles_target");
  EXPECT_EQ(Follow(torn).error_slug, "slot_conflict");
  EXPECT_EQ(ResultOf(good)["coalesced"], json::array()) << "it was solved alone in the end";
  ResultOf(fine);
  ResultOf(first);
  EXPECT_THAT(Messages(),
              ElementsAre("about Dan", "about Bob", "about Ann", "Import a small model"));
  ExpectStoreIsSound();
}

TEST_F(JobQueueTest, WhoWaitsBehindOthersOfABrokenGroupEndsAtOnce) {
  Submit("commit", CommitBody({"Ann"}, "chess"));
  const OperationId first = Submit("commit", CommitBody({"Bob"}, "go"));
  const OperationId bad = Submit("commit", CommitBody({"Bad"}, "whist"));
  const OperationId cancelled = Submit("commit", CommitBody({"Cid"}, "golf"));
  const OperationId late = Submit("commit", CommitBody({"Dan"}, "darts"), {.timeout = 30s});
  ASSERT_TRUE(cluster_.sim().RunUntil([this] { return solves_.size() == 2; }, 1min));
  EXPECT_EQ(solves_.back().subjects.size(), 4U);
  for (std::size_t i = 0; i < cluster_.workers(); ++i) cluster_.worker(i).worker->SetWork(20s);
  cluster_.sim().RunFor(10s);
  EXPECT_THAT(Cancel(cancelled), IsOk());
  EXPECT_EQ(State(cancelled), OperationState::kCancelled);
  EXPECT_EQ(Follow(late).error_slug, "deadline_passed");
  EXPECT_FALSE(HasEnded(first)) << "they waited behind it";
  ResultOf(first);
  EXPECT_EQ(Follow(bad).error_slug, "token_straddles_target");
  EXPECT_EQ(Ends(cancelled), 1U);
  EXPECT_EQ(Ends(late), 1U);
  EXPECT_THAT(solves_.back().subjects, ElementsAre("Bad"));
  EXPECT_THAT(Messages(), ElementsAre("about Bob", "about Ann", "Import a small model"));
}

TEST_F(JobQueueTest, AMemberThatIsCancelledLeavesAndTheRestAreSolvedAnew) {
  Submit("commit", CommitBody({"Ann"}, "chess"));
  const OperationId stays = Submit("commit", CommitBody({"Bob"}, "go"));
  const OperationId leaves = Submit("commit", CommitBody({"Cid"}, "whist"));
  const OperationId also_stays = Submit("commit", CommitBody({"Dan"}, "darts"));
  ASSERT_TRUE(cluster_.sim().RunUntil([this] { return solves_.size() == 2; }, 1min));
  EXPECT_EQ(solves_.back().subjects.size(), 3U);
  EXPECT_THAT(Cancel(leaves), IsOk());
  EXPECT_EQ(Follow(leaves).state, OperationState::kCancelled);
  EXPECT_EQ(ResultOf(stays)["coalesced"], json::array({also_stays.value()}));
  ResultOf(also_stays);
  EXPECT_THAT(solves_.back().subjects, ElementsAre("Bob", "Dan"));
  EXPECT_THAT(Messages(),
              ElementsAre("about Dan", "about Bob", "about Ann", "Import a small model"));
  EXPECT_THAT(Cancel(leaves), StatusIs(StatusCode::kFailedPrecondition, "operation_ended"));
}

TEST_F(JobQueueTest, AMemberWhoseTimeIsUpLeavesToo) {
  Submit("commit", CommitBody({"Ann"}, "chess"));
  const OperationId stays = Submit("commit", CommitBody({"Bob"}, "go"));
  const OperationId leaves = Submit("commit", CommitBody({"Cid"}, "whist"), {.timeout = 5s});
  ASSERT_TRUE(cluster_.sim().RunUntil([this] { return solves_.size() == 2; }, 1min));
  EXPECT_EQ(solves_.back().subjects.size(), 2U);
  for (std::size_t i = 0; i < cluster_.workers(); ++i)
    cluster_.worker(i).worker->SetVoice(test::FakeWorker::Voice::kMute);
  const Operation ended = Follow(leaves);
  EXPECT_EQ(ended.error_slug, "deadline_passed");
  EXPECT_LE(ended.finished_ms, ended.deadline_ms + 200);
  for (std::size_t i = 0; i < cluster_.workers(); ++i)
    cluster_.worker(i).worker->SetVoice(test::FakeWorker::Voice::kHeard);
  EXPECT_EQ(ResultOf(stays)["coalesced"], json::array());
  EXPECT_THAT(solves_.back().subjects, ElementsAre("Bob"));
}

TEST_F(JobQueueTest, ARestartInTheMiddleOfAGroupMakesEachCommitOnce) {
  std::vector<OperationId> ids = {Submit("commit", CommitBody({"Ann"}, "chess"))};
  for (const char* subject : {"Bob", "Cid", "Dan"})
    ids.push_back(Submit("commit", CommitBody({subject}, "go")));
  ASSERT_TRUE(cluster_.sim().RunUntil([this] { return solves_.size() == 2; }, 1min));
  cluster_.Restart();
  for (const OperationId& id : ids) ResultOf(id);
  EXPECT_THAT(Messages(), ElementsAre("about Dan", "about Cid", "about Bob", "about Ann",
                                      "Import a small model"));
  ExpectStoreIsSound();
}

TEST_F(JobQueueTest, OfAGroupAllIsStoredOrNothing) {
  Submit("commit", CommitBody({"Ann"}, "chess"));
  const OperationId second = Submit("commit", CommitBody({"Bob"}, "go"));
  const OperationId third = Submit("commit", CommitBody({"Cid"}, "whist"));
  ASSERT_TRUE(cluster_.sim().RunUntil([this] { return solves_.size() == 2; }, 1min));
  ASSERT_THAT(ArmFailpoints("commit.before_advance:2:error"), IsOk());
  EXPECT_EQ(ResultOf(second)["coalesced"], json::array())
      << "the group failed at its second commit, and its members were run alone";
  ASSERT_THAT(ArmFailpoints(""), IsOk());
  ResultOf(third);
  EXPECT_THAT(Messages(),
              ElementsAre("about Cid", "about Bob", "about Ann", "Import a small model"));
  EXPECT_EQ(cluster_.repo().Reflog("main", 100)->size(), 4U);
  ExpectStoreIsSound();
}

TEST_F(JobQueueTest, WhatStandsThoughItWasReportedAsFailedIsNotDoneAgain) {
  Submit("commit", CommitBody({"Ann"}, "chess"));
  const OperationId second = Submit("commit", CommitBody({"Bob"}, "go"));
  const OperationId third = Submit("commit", CommitBody({"Cid"}, "whist"));
  ASSERT_TRUE(cluster_.sim().RunUntil([this] { return solves_.size() == 2; }, 1min));
  ASSERT_THAT(ArmFailpoints("journal.after_batch:1:error"), IsOk());
  EXPECT_EQ(ResultOf(second)["coalesced"], json::array({third.value()}));
  ASSERT_THAT(ArmFailpoints(""), IsOk());
  EXPECT_EQ(ResultOf(third)["edits"], 1);
  EXPECT_EQ(solves_.size(), 2U);
  EXPECT_EQ(Messages().size(), 4U);
  ExpectStoreIsSound();
}

TEST_F(JobQueueTest, AGroupThatLosesItsWorkerIsSolvedByAnother) {
  Submit("commit", CommitBody({"Ann"}, "chess"));
  const OperationId second = Submit("commit", CommitBody({"Bob"}, "go"));
  const OperationId third = Submit("commit", CommitBody({"Cid"}, "whist"));
  ASSERT_TRUE(cluster_.sim().RunUntil([this] { return solves_.size() == 2; }, 1min));
  cluster_.worker(solves_.back().worker).model.Forget();
  cluster_.worker(solves_.back().worker).worker->Die();
  EXPECT_EQ(ResultOf(second)["coalesced"], json::array({third.value()}));
  EXPECT_EQ(Messages().size(), 4U);
}

}  // namespace
}  // namespace emend::coordinator::jobs::job_groups_test
