// What a commit says of its facts, and what may be required of it.
#include <set>

#include "tests/coordinator/jobs/job_queue_fixture.h"

namespace emend::coordinator::operations::evidence_test {
namespace {

using namespace jobs;
using worker::protocol::Evaluate;
using worker::protocol::EvaluateReply;

// A model that takes a fact unless its target is "silence"; no answer near it stays.
class EvidenceTest : public JobQueueTest {
 protected:
  void SetUp() override {
    ASSERT_TRUE(cluster_.Prepare([this](std::size_t worker, const RequestBody& request) {
      Result<ReplyBody> reply = JobQueueTest::Answer(worker, request);
      const auto* const asked = std::get_if<Evaluate>(&request);
      if (asked == nullptr || !reply.ok()) return reply;
      auto& answer = std::get<EvaluateReply>(*reply);
      if (asked->reference) results_.insert(asked->state);
      const bool is_parent = !asked->reference;
      const bool is_edited = results_.contains(asked->state);
      for (std::size_t i = 0; i < asked->facts.size(); ++i) {
        const bool taken = is_edited && asked->facts[i].target != "silence";
        answer.facts[i] = {taken, taken ? 0.75 : 0.25};
      }
      answer.es = answer.facts.front().taken ? 100 : 0;
      answer.kept = 0;
      answer.neighbours = is_parent ? 0 : 3;
      answer.perplexity = asked->drift ? (is_parent ? 20 : 21) : std::nan("");
      return reply;
    }));
  }

  std::set<StateId> results_;

  json Commit(const std::string& target, const json& more = json::object()) {
    json body = CommitBody({"Ann", "Bob"}, target);
    body["facts"].push_back(Facts({"Cid"}, "silence")[0]);
    body.update(more);
    return body;
  }
};

TEST_F(EvidenceTest, ACommitSaysFactByFactWhatTheModelSaysNow) {
  const json result = ResultOf(Submit("commit", Commit("chess")));
  EXPECT_EQ(result["taken"], 2);
  ASSERT_EQ(result["facts"].size(), 3U);
  const json& last = result["facts"][2];
  EXPECT_EQ(last["row"], 3);
  EXPECT_EQ(last["subject"], "Cid");
  EXPECT_EQ(last["target"], "silence");
  EXPECT_EQ(last["taken"], false);
  EXPECT_EQ(result["facts"][0]["before"], 0.25);
  EXPECT_EQ(result["facts"][0]["after"], 0.75);
  EXPECT_EQ(result["kept"], 0);
  EXPECT_EQ(result["neighbours"], 3);
  EXPECT_EQ(result["drift"], (json{{"perplexity_before", 20.0}, {"perplexity_after", 21.0}}));
  EXPECT_FALSE(result.contains("earlier")) << "the branch held nothing before";

  const auto commit = Log().front().commit;
  const json kept = json::parse(commit.evidence);
  EXPECT_EQ(kept["facts"], result["facts"]);
  for (const json& fact : kept["facts"]) {
    const EditId edit = *EditId::FromHex(fact["edit"].get<std::string>());
    EXPECT_TRUE(std::ranges::binary_search(commit.added, edit));
  }
}

TEST_F(EvidenceTest, EarlierFactsOfTheBranchAreAskedAgain) {
  ResultOf(Submit("commit", Commit("chess")));
  json other = CommitBody({"Dan"}, "go");
  const json result = ResultOf(Submit("commit", other));
  EXPECT_EQ(result["earlier"]["n"], 3);
  EXPECT_EQ(result["earlier"]["taken_before"], 2);
  EXPECT_EQ(result["earlier"]["taken_after"], 2);
  const json again = ResultOf(Submit("commit", Commit("draughts")));
  EXPECT_EQ(again["superseded"], 2);
  EXPECT_EQ(again["earlier"]["n"], 2) << "what is superseded is not asked";
}

TEST_F(EvidenceTest, NothingIsCommittedBelowWhatIsRequired) {
  const Operation ended =
      Follow(Submit("commit", Commit("chess", {{"require", {{"taken", 90}, {"es", 50}}}})));
  EXPECT_EQ(ended.state, OperationState::kFailed);
  EXPECT_EQ(ended.error_slug, "requirement_not_met");
  EXPECT_THAT(ended.error_message, HasSubstr("taken 66.7 where 90.0 is required"));
  EXPECT_THAT(ended.error_message, HasSubstr("at /facts/2: \"Cid\" -> \"silence\""));
  EXPECT_EQ(Messages().size(), 1U);
  ResultOf(Submit("commit", Commit("chess", {{"require", {{"taken", 60}}}})));
  EXPECT_EQ(Messages().size(), 2U);
  EXPECT_THAT(Try("commit", Commit("chess", {{"require", {{"luck", 60}}}})),
              StatusIs(StatusCode::kInvalidArgument));
  EXPECT_THAT(Try("commit", Commit("chess", {{"require", {{"es", 101}}}})),
              StatusIs(StatusCode::kInvalidArgument));
  EXPECT_THAT(Try("commit", Commit("chess", {{"require", {{"es", 1}}}, {"evaluate", false}})),
              StatusIs(StatusCode::kInvalidArgument));
}

TEST_F(EvidenceTest, FactsThatAreHeldAreAskedToo) {
  ResultOf(Submit("commit", Commit("chess")));
  const json again = ResultOf(Submit("commit", Commit("chess")));
  EXPECT_EQ(again["edits"], 0);
  EXPECT_EQ(again["skipped"], 3);
  EXPECT_EQ(again["taken"], 2);
  ASSERT_EQ(again["facts"].size(), 3U);
  EXPECT_EQ(again["facts"][1]["held"], true);
  EXPECT_EQ(again["facts"][1]["row"], 2);
  json unasked = Commit("chess");
  unasked["evaluate"] = false;
  EXPECT_FALSE(ResultOf(Submit("commit", unasked)).contains("facts"));
}

}  // namespace
}  // namespace emend::coordinator::operations::evidence_test
