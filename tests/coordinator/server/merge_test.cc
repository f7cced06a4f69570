// Merges and proposals over fake workers, from the branch to the commit.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "coordinator/review/probes.h"
#include "coordinator/review/proposals.h"
#include "coordinator/review/rules.h"
#include "coordinator/review/standing.h"
#include "storage/base/failpoint.h"
#include "tests/support/sim_cluster.h"
#include "tests/support/status_matchers.h"

namespace emend::coordinator::server::merge_test {
namespace {

using nlohmann::json;
using review::Verdict;
using storage::records::OperationState;
using test::IsOk;
using test::SimCluster;
using test::StatusIs;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

json CommitBody(const std::string& branch, const std::string& subject, const std::string& target) {
  return {{"branch", branch},
          {"facts", {{{"prompt", "{} is"}, {"subject", subject}, {"target", target}}}},
          {"settings", {{"layers", "0,1"}}},
          {"evaluate", false}};
}

class MergeTest : public testing::Test {
 protected:
  void SetUp() override {
    Run("import", cluster_.ImportBody());
    Run("statistics", cluster_.StatisticsBody());
    Run("commit", CommitBody("main", "Ann", "chess"));
    Branch("side");
  }

  void Branch(const std::string& name) {
    EXPECT_THAT(cluster_.MoveRef({.name = name, .revision = "main"}), IsOk());
  }
  // The result of one that succeeds.
  json Run(const std::string& kind, const json& body) {
    const storage::records::Operation ended = cluster_.Run(kind, body);
    EXPECT_EQ(ended.state, OperationState::kSucceeded) << kind << ": " << ended.error_message;
    return ended.result.empty() ? json() : json::parse(ended.result);
  }
  std::string SlugOf(const std::string& kind, const json& body) {
    return cluster_.Run(kind, body).error_slug;
  }
  CommitId Head(const std::string& branch = "main") {
    return cluster_.repo().Resolve(branch).value();
  }
  std::vector<std::string> Subjects(const std::string& branch = "main") {
    const auto repo = cluster_.repo();
    const auto commit = repo.ReadCommit(Head(branch)).value();
    const std::vector<EditId> edits = repo.Edits(commit.state).value();
    std::vector<std::string> subjects;
    for (const EditId& id : edits)
      subjects.push_back(repo.objects().ReadEdit(id).value().facts[0].subject);
    std::ranges::sort(subjects);
    return subjects;
  }

  storage::records::Journal& journal() { return cluster_.service().journal(); }
  static Caller Person(const std::string& name, const std::string& token = "tk") {
    return {{name, token}, {"ask", "read", "propose", "review", "merge"}};
  }
  void Protect(std::uint32_t approvals, std::map<std::string, double> required = {}) {
    ASSERT_THAT(review::PutRule(journal(), cluster_.admin(), SimCluster::kRepo,
                                {.pattern = "main",
                                 .approvals = approvals,
                                 .required = std::move(required),
                                 .principal = {}}),
                IsOk());
  }
  std::uint64_t Propose(const std::string& source = "side") {
    const auto opened =
        review::OpenProposal(journal(), Person("ada"), SimCluster::kRepo,
                             {.title = "", .text = "", .source = source, .target = "main"});
    EXPECT_THAT(opened, IsOk());
    return opened.ok() ? opened->number : 0;
  }
  review::Standing Standing(std::uint64_t number = 1) {
    return review::ReadStanding(cluster_.repo(), number).value();
  }
  Status Say(const Caller& who, Verdict verdict, const std::string& text = "",
             std::uint64_t number = 1) {
    const review::Standing seen = Standing(number);
    return review::PutReview(journal(), who, SimCluster::kRepo,
                             {.proposal = number,
                              .revision = seen.revision ? seen.revision->id : Digest(),
                              .verdict = verdict,
                              .text = text,
                              .facts = {}})
        .status();
  }
  const json kFirst = {{"proposal", 1}};

  SimCluster cluster_{1, 2};
};

TEST_F(MergeTest, ABranchThatIsBehindMovesForward) {
  Run("commit", CommitBody("side", "Bob", "go"));
  const json merged = Run("merge", {{"revision", "side"}});
  EXPECT_EQ(merged["kind"], "fast_forward");
  EXPECT_EQ(merged["commit"], Head("side").Hex());
  EXPECT_EQ(Head(), Head("side"));
  EXPECT_EQ(Run("merge", {{"revision", "side"}})["kind"], "up_to_date");
}

TEST_F(MergeTest, BothSidesEditsComeTogetherInACommitOfTwoParents) {
  Run("commit", CommitBody("side", "Bob", "go"));
  Run("commit", CommitBody("main", "Cid", "darts"));
  const CommitId before = Head();
  const json dry = Run("merge", {{"revision", "side"}, {"dry_run", true}});
  EXPECT_EQ(dry["added"], 1);
  EXPECT_EQ(Head(), before);
  const json merged = Run("merge", {{"revision", "side"}});
  EXPECT_EQ(merged["kind"], "merge");
  EXPECT_THAT(Subjects(), ElementsAre("Ann", "Bob", "Cid"));
  const auto commit = cluster_.repo().ReadCommit(Head()).value();
  EXPECT_THAT(commit.parents, ElementsAre(before, Head("side")));
  EXPECT_EQ(commit.message, "Merge side into main");
  EXPECT_TRUE(Run("verify", json::object())["ok"]);
  EXPECT_TRUE(Run("fsck", json::object())["ok"]);
  EXPECT_EQ(Run("revert", {{"commit", "main"}})["removed"], 1);
  EXPECT_EQ(cluster_.repo().ReadCommit(Head()).value().state,
            cluster_.repo().ReadCommit(before).value().state);
}

TEST_F(MergeTest, AFactThatBothChangedIsDecidedOrNothingIsMerged) {
  Run("commit", CommitBody("side", "Ann", "go"));
  Run("commit", CommitBody("main", "Ann", "darts"));
  const CommitId before = Head();
  const auto refused = cluster_.Run("merge", {{"revision", "side"}});
  EXPECT_EQ(refused.error_slug, "merge_conflict");
  EXPECT_THAT(refused.error_message, HasSubstr("\"Ann\" ({} is) is \"darts\" here and \"go\""));
  EXPECT_EQ(Head(), before);
  const json dry = Run("merge", {{"revision", "side"}, {"dry_run", true}});
  ASSERT_EQ(dry["conflicts"].size(), 1U);
  const std::string theirs = dry["conflicts"][0]["theirs"]["edit"];
  EXPECT_EQ(SlugOf("merge", {{"revision", "side"}, {"decisions", {{"ffff", "ours"}}}}),
            "invalid_argument");
  Run("merge", {{"revision", "side"}, {"decisions", {{theirs.substr(0, 8), "theirs"}}}});
  const auto head = cluster_.repo().ReadCommit(Head()).value();
  const auto edits = cluster_.repo().Edits(head.state).value();
  ASSERT_EQ(edits.size(), 1U);
  EXPECT_EQ(edits[0].Hex(), theirs);
}

TEST_F(MergeTest, NobodysWordMovesAProtectedBranch) {
  Run("commit", CommitBody("side", "Bob", "go"));
  Protect(1);
  const CommitId before = Head();
  const std::map<std::string, json> moves = {{"commit", CommitBody("main", "Cid", "darts")},
                                             {"merge", {{"revision", "side"}}},
                                             {"revert", {{"commit", "main"}}},
                                             {"refit", json::object()}};
  for (const auto& [kind, body] : moves) {
    const std::string text = body.dump();
    EXPECT_THAT(*cluster_.sim().Await(cluster_.service().Submit(
                    cluster_.admin(), {kind, SimCluster::kRepo, text, "", Sha256(text)})),
                StatusIs(StatusCode::kPermissionDenied, "protected_branch"))
        << kind;
  }
  EXPECT_THAT(cluster_.MoveRef({.name = "main", .expected = before, .revision = "side"}),
              StatusIs(StatusCode::kPermissionDenied, "protected_branch"));
  EXPECT_EQ(Head(), before);
  EXPECT_EQ(Run("refit", {{"preview", true}})["preview"], true) << "it changes nothing";
}

TEST_F(MergeTest, AnApprovedProposalIsMeasuredAndMerged) {
  Protect(1);
  Run("commit", CommitBody("side", "Bob", "go"));
  EXPECT_EQ(Propose(), 1U);
  EXPECT_EQ(Propose(), 1U) << "the same branches are the same proposal";
  const json checked = Run("proposal_check", kFirst);
  EXPECT_EQ(checked["evidence"]["facts"][0]["subject"], "Bob");
  EXPECT_EQ(checked["evidence"]["answers"][0]["answers"][0]["prompt"], "Bob is");
  EXPECT_TRUE(Standing().is_check_current);

  EXPECT_EQ(SlugOf("proposal_merge", kFirst), "not_mergeable");
  EXPECT_THAT(Say(Person("bob"), Verdict::kApprove), IsOk());
  const CommitId before = Head();
  const json merged = Run("proposal_merge", kFirst);
  EXPECT_EQ(merged["commit"], Head().Hex());
  EXPECT_EQ(merged["state"], checked["state"]) << "what was measured is what was merged";
  EXPECT_THAT(Subjects(), ElementsAre("Ann", "Bob"));
  const auto commit = cluster_.repo().ReadCommit(Head()).value();
  EXPECT_THAT(commit.parents, ElementsAre(before, Head("side")));
  EXPECT_FALSE(commit.evidence.empty());
  const review::Proposal proposal = Standing().proposal;
  EXPECT_EQ(proposal.state, review::ProposalState::kMerged);
  EXPECT_EQ(proposal.merged, Head());
  EXPECT_EQ(SlugOf("proposal_merge", kFirst), "not_open");
  EXPECT_TRUE(Run("fsck", json::object())["ok"]);
}

TEST_F(MergeTest, WhoHadAHandInItApprovesNothingByNoToken) {
  Protect(1);
  Run("commit", CommitBody("side", "Bob", "go"));  // by the admin
  Propose();                                       // by ada
  EXPECT_THAT(Say(Person("ada", "another"), Verdict::kApprove),
              StatusIs(StatusCode::kPermissionDenied, "own_change"));
  EXPECT_THAT(Say(cluster_.admin(), Verdict::kApprove),
              StatusIs(StatusCode::kPermissionDenied, "own_change"));
  EXPECT_THAT(Say(Person("ada"), Verdict::kComment, "Please look"), IsOk());
  EXPECT_THAT(Say(Person("bob"), Verdict::kApprove), IsOk());
  // bob pushes to it afterwards: his approval is his own now
  const auto moved = store::MoveRef(
      journal(), Person("bob"),
      {.repo = SimCluster::kRepo, .name = "side", .expected = Head("side"), .revision = "side~1"});
  EXPECT_THAT(moved, IsOk());
  EXPECT_THAT(store::MoveRef(journal(), Person("bob"),
                             {.repo = SimCluster::kRepo,
                              .name = "side",
                              .expected = Head("side"),
                              .revision = "side@{1}"}),
              IsOk());
  EXPECT_THAT(Standing().approvers, ElementsAre());
  EXPECT_EQ(SlugOf("proposal_merge", kFirst), "not_mergeable");
}

TEST_F(MergeTest, AnApprovalIsOfOneRevision) {
  Protect(1);
  Run("commit", CommitBody("side", "Bob", "go"));
  Propose();
  const Digest first = Standing().revision->id;
  EXPECT_THAT(Say(Person("bob"), Verdict::kApprove), IsOk());
  Run("commit", CommitBody("side", "Eve", "poker"));
  EXPECT_THAT(Standing().approvers, ElementsAre());
  EXPECT_EQ(SlugOf("proposal_merge", kFirst), "not_mergeable");
  EXPECT_THAT(review::PutReview(journal(), Person("cem"), SimCluster::kRepo,
                                {.proposal = 1,
                                 .revision = first,
                                 .verdict = Verdict::kApprove,
                                 .text = "",
                                 .facts = {}}),
              StatusIs(StatusCode::kConflict, "stale_revision"));
  EXPECT_THAT(Say(Person("bob"), Verdict::kApprove), IsOk());
  Run("proposal_merge", kFirst);
  EXPECT_THAT(Subjects(), ElementsAre("Ann", "Bob", "Eve"));
}

TEST_F(MergeTest, AMovedTargetIsMeasuredAgainAndKeepsApprovals) {
  Branch("other");
  Run("commit", CommitBody("side", "Bob", "go"));
  Run("commit", CommitBody("other", "Cid", "darts"));
  Protect(1);
  EXPECT_EQ(Propose("side"), 1U);
  EXPECT_EQ(Propose("other"), 2U);
  Run("proposal_check", kFirst);
  EXPECT_THAT(Say(Person("bob"), Verdict::kApprove), IsOk());
  EXPECT_THAT(Say(Person("bob"), Verdict::kApprove, "", 2), IsOk());
  Run("proposal_merge", {{"proposal", 2}});
  EXPECT_FALSE(Standing().is_check_current);
  EXPECT_THAT(Standing().approvers, ElementsAre("bob"));
  const json merged = Run("proposal_merge", kFirst);
  EXPECT_EQ(merged["evidence"]["earlier"]["n"], 2) << "Cid is there by now, and was asked";
  EXPECT_THAT(Subjects(), ElementsAre("Ann", "Bob", "Cid"));
}

TEST_F(MergeTest, ARequestForChangesStandsUntilItIsTakenBack) {
  Protect(1);
  Run("commit", CommitBody("side", "Bob", "go"));
  Propose();
  EXPECT_THAT(Say(Person("bob"), Verdict::kRequestChanges), StatusIs(StatusCode::kInvalidArgument))
      << "it says nothing";
  EXPECT_THAT(Say(Person("bob"), Verdict::kRequestChanges, "Bob does not play"), IsOk());
  EXPECT_THAT(Say(Person("cem"), Verdict::kApprove), IsOk());
  EXPECT_EQ(SlugOf("proposal_merge", kFirst), "not_mergeable");
  Run("commit", CommitBody("side", "Bob", "whist"));
  EXPECT_THAT(Say(Person("cem"), Verdict::kApprove), IsOk());
  EXPECT_THAT(Standing().objectors, ElementsAre("bob")) << "a new revision does not end it";
  EXPECT_THAT(Say(Person("bob"), Verdict::kApprove), IsOk());
  Run("proposal_merge", kFirst);
}

TEST_F(MergeTest, WhatARuleRequiresMustBeMeasured) {
  // The fake workers reach all of it on the result, and are told to reach less.
  double score = 60;
  for (std::size_t i = 0; i < cluster_.workers(); ++i) {
    SimCluster::Node& node = cluster_.worker(i);
    node.worker->OnRequest([&node, &score](const worker::protocol::RequestBody& request) {
      auto reply = node.model.Answer(request);
      if (reply.ok() && std::holds_alternative<worker::protocol::EvaluateReply>(*reply))
        std::get<worker::protocol::EvaluateReply>(*reply).score = score;
      return reply;
    });
  }
  Protect(0, {{"taken", 100}, {"score", 90}});
  Run("commit", CommitBody("side", "Bob", "go"));
  Propose();
  const auto measured = cluster_.Run("proposal_merge", kFirst);
  EXPECT_EQ(measured.error_slug, "requirement_not_met");
  EXPECT_THAT(measured.error_message, HasSubstr("score 60.0 where 90.0 is required"));
  Run("proposal_check", kFirst);
  EXPECT_EQ(SlugOf("proposal_merge", kFirst), "not_mergeable") << "it is known by now";
  score = 95;
  Run("proposal_check", kFirst);
  Run("proposal_merge", kFirst);
}

TEST_F(MergeTest, AnObjectionOutlivesThatItsAuthorBecameAMaker) {
  Protect(1);
  Run("commit", CommitBody("side", "Bob", "go"));
  Propose();
  EXPECT_THAT(Say(Person("cem"), Verdict::kApprove), IsOk());
  EXPECT_THAT(Say(Person("bob"), Verdict::kRequestChanges, "No"), IsOk());
  for (const char* revision : {"side~1", "side@{1}"}) {
    EXPECT_THAT(store::MoveRef(journal(), Person("bob"),
                               {.repo = SimCluster::kRepo,
                                .name = "side",
                                .expected = Head("side"),
                                .revision = revision}),
                IsOk());
  }
  EXPECT_THAT(Standing().objectors, ElementsAre("bob"));
  EXPECT_EQ(SlugOf("proposal_merge", kFirst), "not_mergeable");
  EXPECT_THAT(Say(Person("bob"), Verdict::kApprove), IsOk()) << "he takes it back";
  EXPECT_THAT(Standing().approvers, ElementsAre("cem")) << "which is all that it does";
  Run("proposal_merge", kFirst);
}

TEST_F(MergeTest, WhatTheTargetHidWhenItWasApprovedIsNotApproved) {
  Run("commit", CommitBody("side", "Bob", "go"));
  Run("commit", CommitBody("side", "Eve", "poker"));
  Run("commit", CommitBody("main", "Bob", "go"));  // the same, of its own
  Propose();
  EXPECT_EQ(Standing().revision->plan.added.size(), 1U) << "Eve alone would come";
  EXPECT_THAT(Say(Person("cem"), Verdict::kApprove), IsOk());
  EXPECT_THAT(Standing().approvers, ElementsAre("cem"));
  Run("revert", {{"commit", "main"}});
  EXPECT_EQ(Standing().revision->plan.added.size(), 2U);
  EXPECT_THAT(Standing().approvers, ElementsAre());
  Protect(1);
  EXPECT_EQ(SlugOf("proposal_merge", kFirst), "not_mergeable");
}

TEST_F(MergeTest, ItsWordsAreItsAuthors) {
  Run("commit", CommitBody("side", "Bob", "go"));
  Propose();
  const auto reword = [&](const Caller& who, const std::string& title) {
    return review::OpenProposal(journal(), who, SimCluster::kRepo,
                                {.title = title, .text = "", .source = "side", .target = "main"});
  };
  const Caller eve{{"eve", "tk"}, {"propose"}};
  EXPECT_THAT(reword(eve, "Mine"), StatusIs(StatusCode::kPermissionDenied));
  EXPECT_EQ(reword(eve, "")->number, 1U);
  EXPECT_EQ(reword(Person("ada"), "Better")->title, "Better");
  EXPECT_THAT(reword(Person("ada"), "Two\nlines"), StatusIs(StatusCode::kInvalidArgument));
  EXPECT_THAT(reword(Person("ada"), std::string(201, 'x')), StatusIs(StatusCode::kInvalidArgument));
}

TEST_F(MergeTest, AnUnknownBranchIsSaid) {
  EXPECT_THAT(
      review::OpenProposal(journal(), Person("ada"), SimCluster::kRepo,
                           {.title = "", .text = "", .source = "nowhere", .target = "main"}),
      StatusIs(StatusCode::kFailedPrecondition, "no_branch"));
  Run("commit", CommitBody("side", "Bob", "go"));
  Propose();
  EXPECT_THAT(cluster_.MoveRef({.name = "side", .expected = Head("side"), .revision = ""}), IsOk());
  EXPECT_EQ(SlugOf("proposal_check", kFirst), "no_branch");
  EXPECT_THAT(Say(Person("bob"), Verdict::kApprove), StatusIs(StatusCode::kFailedPrecondition));
}

TEST_F(MergeTest, ProbesAreAskedAndChangeWhatACheckIsWorth) {
  Run("commit", CommitBody("side", "Bob", "go"));
  Propose();
  Run("proposal_check", kFirst);
  json body = {{"name", "core"}, {"facts", CommitBody("main", "Ann", "chess")["facts"]}};
  const json put = Run("probes", body);
  EXPECT_EQ(put["n"], 1);
  EXPECT_FALSE(Standing().is_check_current) << "it was asked less";
  const json probes = Run("proposal_check", kFirst)["evidence"]["probes"];
  ASSERT_EQ(probes.size(), 1U);
  EXPECT_EQ(probes[0]["suite"], "core");
  EXPECT_EQ(probes[0]["n"], 1);
  EXPECT_TRUE(Standing().is_check_current);
  body["facts"][0]["target"] = "darts";
  EXPECT_NE(Run("probes", body)["digest"], put["digest"]);
  EXPECT_FALSE(Standing().is_check_current);
  EXPECT_EQ(review::ListSuites(cluster_.repo())->size(), 1U) << "in place of the one before";
  EXPECT_THAT(review::RemoveSuite(journal(), Person("ada"), SimCluster::kRepo, "core"),
              StatusIs(StatusCode::kPermissionDenied));
  EXPECT_THAT(review::RemoveSuite(journal(), cluster_.admin(), SimCluster::kRepo, "core"), IsOk());
  EXPECT_THAT(review::RemoveSuite(journal(), cluster_.admin(), SimCluster::kRepo, "core"),
              StatusIs(StatusCode::kNotFound));
}

TEST_F(MergeTest, AProposalThatTakesOutShowsWhatGoes) {
  Run("revert", {{"branch", "side"}, {"commit", "side"}});
  Protect(1);
  Propose();
  const json checked = Run("proposal_check", kFirst);
  EXPECT_EQ(checked["evidence"]["taken_out"][0]["subject"], "Ann");
  EXPECT_EQ(checked["evidence"]["facts"].size(), 0U);
  EXPECT_THAT(Say(Person("bob"), Verdict::kApprove), IsOk());
  EXPECT_EQ(Run("proposal_merge", kFirst)["removed"], 1);
  EXPECT_THAT(Subjects(), ElementsAre());
}

TEST_F(MergeTest, ConflictsAreDecidedOnTheSourceBranch) {
  Run("commit", CommitBody("side", "Ann", "go"));
  Run("commit", CommitBody("main", "Ann", "darts"));
  Protect(1);
  Propose();
  EXPECT_EQ(SlugOf("proposal_check", kFirst), "merge_conflict");
  Run("merge", {{"branch", "side"}, {"revision", "main"}, {"prefer", "ours"}});
  EXPECT_THAT(Say(Person("bob"), Verdict::kApprove), IsOk());
  const json merged = Run("proposal_merge", kFirst);
  EXPECT_EQ(merged["added"], 1);
  EXPECT_EQ(merged["removed"], 1);
}

TEST_F(MergeTest, AMergeThatFailsHalfWayLeavesNothingOfIt) {
  Protect(1);
  Run("commit", CommitBody("side", "Bob", "go"));
  Propose();
  EXPECT_THAT(Say(Person("bob"), Verdict::kApprove), IsOk());
  const CommitId before = Head();
  for (const char* place : {"proposal_merge.before_advance", "history.advance"}) {
    ASSERT_THAT(ArmFailpoints(std::string(place) + ":1:error"), IsOk());
    EXPECT_EQ(SlugOf("proposal_merge", kFirst), "failpoint");
    ASSERT_THAT(ArmFailpoints(""), IsOk());
    EXPECT_EQ(Head(), before);
    EXPECT_EQ(Standing().proposal.state, review::ProposalState::kOpen);
    cluster_.Restart();
  }
  EXPECT_THAT(Standing().approvers, ElementsAre("bob")) << "reviews outlive the process";
  Run("proposal_merge", kFirst);
  cluster_.Restart();
  EXPECT_EQ(Standing().proposal.merged, Head());
  EXPECT_THAT(Standing().approvers, ElementsAre("bob"));
  EXPECT_TRUE(Run("fsck", json::object())["ok"]);
}

TEST_F(MergeTest, AClosedProposalIsOver) {
  Run("commit", CommitBody("side", "Bob", "go"));
  Propose();
  EXPECT_THAT(review::CloseProposal(journal(), {{"eve", "tk"}, {"propose"}}, SimCluster::kRepo, 1),
              StatusIs(StatusCode::kPermissionDenied));
  EXPECT_THAT(review::CloseProposal(journal(), Person("ada"), SimCluster::kRepo, 1), IsOk());
  EXPECT_THAT(review::CloseProposal(journal(), Person("ada"), SimCluster::kRepo, 1),
              StatusIs(StatusCode::kFailedPrecondition, "not_open"));
  EXPECT_EQ(SlugOf("proposal_merge", kFirst), "not_open");
  EXPECT_EQ(Propose(), 2U);
  EXPECT_EQ(review::ListProposals(cluster_.repo(), {.count_max = 10})->size(), 2U);
  EXPECT_EQ(review::ListProposals(cluster_.repo(), {.before = 2, .count_max = 10})->front().number,
            1U);
  const auto open = review::ListProposals(cluster_.repo(), {.open_only = true, .count_max = 10});
  ASSERT_EQ(open->size(), 1U);
  EXPECT_EQ(open->front().number, 2U);
}

}  // namespace
}  // namespace emend::coordinator::server::merge_test
