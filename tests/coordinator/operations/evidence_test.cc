// What a commit says of its facts, and what may be required of it.
#include <set>

#include "tests/coordinator/jobs/job_queue_fixture.h"

namespace emend::coordinator::operations::evidence_test {
namespace {

using namespace jobs;
using worker::protocol::Evaluate;
using worker::protocol::EvaluateReply;

// A model that takes a fact unless its target is "silence"; no answer near it stays, and what
// neighbours should say is said on the parent alone, but for "noise", which is said afterwards, and
// "mumble", which never is.
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
      answer.neighbour_targets.clear();
      for (const auto& fact : asked->facts) {
        for (const auto& neighbour : fact.neighbours) {
          const bool said =
              is_edited == (neighbour.target == "noise") && neighbour.target != "mumble";
          if (!neighbour.target.empty())
            answer.neighbour_targets.push_back({said, said ? 0.5 : 0.125});
        }
      }
      if (forgets_a_target_ && !answer.neighbour_targets.empty())
        answer.neighbour_targets.pop_back();
      answer.es = answer.facts.front().taken ? 100 : 0;
      answer.kept = 0;
      answer.neighbours = is_parent ? 0 : 3;
      if (asked->drift && asked->chat && asked->reference) answer.questions = questions_;
      if (asked->chat && asked->reference) answer.chat = chat_;
      answer.perplexity = asked->drift ? (is_parent ? 20 : 21) : std::nan("");
      return reply;
    }));
  }

  std::set<StateId> results_;
  std::optional<worker::protocol::QuestionReport> questions_, chat_;
  bool forgets_a_target_ = false;

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

TEST_F(EvidenceTest, ACommitSaysWhetherNeighboursStillSayTheirTargets) {
  json body = CommitBody({"Ann", "Bob"}, "chess");
  body["facts"][0]["neighbours"] = {"Dan is", {{"prompt", "Eve is"}, {"target", "tall"}}};
  body["facts"][1]["neighbours"] = {{{"prompt", "Flo is"}, {"target", "noise"}},
                                    {{"prompt", "Gil is"}, {"target", "old"}}};
  const json result = ResultOf(Submit("commit", body));
  const auto neighbour = [](int row, const char* prompt, const char* target, bool said) {
    return json{{"row", row},
                {"prompt", prompt},
                {"target", target},
                {"said", said},
                {"said_before", !said},
                {"before", said ? 0.125 : 0.5},
                {"after", said ? 0.5 : 0.125}};
  };
  EXPECT_EQ(result["neighbour_targets"],
            (json{{"n", 3},
                  {"said", 1},
                  {"said_before", 2},
                  {"neighbours",
                   {neighbour(1, "Eve is", "tall", false), neighbour(2, "Flo is", "noise", true),
                    neighbour(2, "Gil is", "old", false)}}}));
  const auto commit = Log().front().commit;
  EXPECT_EQ(json::parse(commit.evidence)["neighbour_targets"], result["neighbour_targets"]);
  EXPECT_FALSE(ResultOf(Submit("commit", Commit("go"))).contains("neighbour_targets"));

  const json evaluated = ResultOf(Submit("evaluation", {{"facts", body["facts"]}}));
  EXPECT_EQ(evaluated["neighbour_targets"]["n"], 3);
  EXPECT_EQ(evaluated["neighbour_targets"]["said"], 1);
  EXPECT_EQ(evaluated["neighbour_targets"]["neighbours"][1], (json{{"row", 2},
                                                                   {"prompt", "Flo is"},
                                                                   {"target", "noise"},
                                                                   {"said", true},
                                                                   {"probability", 0.5}}));
}

TEST_F(EvidenceTest, OfManyNeighboursThoseThatChangedAreNamedFirst) {
  json body = CommitBody({"Ann"}, "chess");
  for (int i = 0; i < 150; ++i)
    body["facts"][0]["neighbours"].push_back(
        {{"prompt", std::to_string(i)}, {"target", i < 149 ? "mumble" : "noise"}});
  const json targets = ResultOf(Submit("commit", body))["neighbour_targets"];
  EXPECT_EQ(targets["n"], 150);
  EXPECT_EQ(targets["said_before"], 0);
  EXPECT_EQ(targets["said"], 1);
  ASSERT_EQ(targets["neighbours"].size(), 100U);
  EXPECT_EQ(targets["neighbours"][0]["prompt"], "149");
  EXPECT_EQ(targets["neighbours"][1]["prompt"], "0");
}

TEST_F(EvidenceTest, AWorkerThatAnswersAboutOtherNeighboursIsNotBelieved) {
  forgets_a_target_ = true;
  json body = CommitBody({"Ann"}, "chess");
  body["facts"][0]["neighbours"] = {{{"prompt", "Eve is"}, {"target", "tall"}}};
  const Operation ended = Follow(Submit("commit", body));
  EXPECT_EQ(ended.error_slug, "internal");
  EXPECT_THAT(ended.error_message,
              HasSubstr("was asked about 1 facts and the targets of 1 neighbours, and answered "
                        "about 1 and 0"));
}

TEST_F(EvidenceTest, ACommitOfAChatModelSaysWhatItAnswersToGeneralQuestions) {
  questions_ = {.fault = "",
                .answers = {{"What do bees make?", "Honey", "Honey", true},
                            {"What is five plus three?", "8", "\u00c9lise", false}},
                .nll_before = 0.25,
                .nll_after = 4.5};
  const json result = ResultOf(Submit("commit", Commit("chess")));
  const json expected = {{"n", 2},
                         {"same", 1},
                         {"nll_before", 0.25},
                         {"nll_after", 4.5},
                         {"answers",
                          {{{"question", "What do bees make?"},
                            {"before", "Honey"},
                            {"after", "Honey"},
                            {"same", true}},
                           {{"question", "What is five plus three?"},
                            {"before", "8"},
                            {"after", "\u00c9lise"},
                            {"same", false}}}}};
  EXPECT_EQ(result["drift"]["questions"], expected);
  EXPECT_EQ(json::parse(Log().front().commit.evidence)["drift"], result["drift"]);

  questions_ = {.fault = "",
                .answers = {{"q", "", "", true}},
                .nll_before = std::nan(""),
                .nll_after = std::nan("")};
  const json silent = ResultOf(Submit("commit", CommitBody({"Dan"}, "go")))["drift"]["questions"];
  EXPECT_EQ(silent["nll_before"], nullptr);
  questions_ = {.fault = "line 3: found \"include\"", .answers = {}};
  EXPECT_EQ(ResultOf(Submit("commit", CommitBody({"Eve"}, "go")))["drift"]["questions"],
            (json{{"fault", "line 3: found \"include\""}}));
}

TEST_F(EvidenceTest, ACommitOfAChatModelSaysWhetherItsFactsAreSaidInChat) {
  chat_ = {.fault = "",
           .answers = {{"Ann plays", "go", "chess, says Ann", false, false, true},
                       {"Bob plays", "chess", "chess", true, true, true}},
           .nll_before = 0.5,
           .nll_after = 0.75};
  const json chat = ResultOf(Submit("commit", Commit("chess")))["chat"];
  EXPECT_EQ(chat["n"], 2);
  EXPECT_EQ(chat["said_before"], 1);
  EXPECT_EQ(chat["said"], 2);
  EXPECT_EQ(chat["same"], 1);
  EXPECT_EQ(chat["nll_after"], 0.75);
  EXPECT_EQ(chat["answers"][0], (json{{"question", "Ann plays"},
                                      {"before", "go"},
                                      {"after", "chess, says Ann"},
                                      {"same", false},
                                      {"said_before", false},
                                      {"said", true}}));
  EXPECT_EQ(json::parse(Log().front().commit.evidence)["chat"], chat);
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
