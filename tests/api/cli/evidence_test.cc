// What people read of a commit's evidence.
#include "api/cli/evidence.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

namespace emend::api::cli::evidence_test {
namespace {

Json Neighbour(int row, const std::string& prompt, const std::string& target, bool said_before,
               bool said) {
  return {{"row", row},
          {"prompt", prompt},
          {"target", target},
          {"said", said},
          {"said_before", said_before}};
}

TEST(Evidence, NamesTheNeighboursThatNoLongerSayTheirTargets) {
  const Json result = {{"neighbour_targets",
                        {{"n", 4},
                         {"said", 2},
                         {"said_before", 2},
                         {"neighbours",
                          {Neighbour(1, "The founder of Apple is", "Steve Jobs", true, false),
                           Neighbour(2, "BMW is in", "Munich", false, true),
                           Neighbour(2, "Audi is in", "Ingolstadt", false, false),
                           Neighbour(3, "Rome is in", "Italy", true, true)}}}}};
  EXPECT_EQ(RenderEvidence(result),
            "targets of neighbours said: 2 -> 2 of 4\n"
            "  no longer said, row 1: The founder of Apple is -> Steve Jobs\n");
}

TEST(Evidence, OfOneStateNamesTheNeighboursThatDoNotSayTheirTargets) {
  Json targets = {{"n", 12}, {"said", 1}, {"neighbours", Json::array()}};
  for (int i = 0; i < 12; ++i)
    targets["neighbours"].push_back(
        {{"row", i + 1}, {"prompt", "p"}, {"target", "t"}, {"said", i == 0}});
  const std::string text = RenderEvidence({{"neighbour_targets", targets}});
  EXPECT_TRUE(
      text.starts_with("targets of neighbours said: 1 of 12\n"
                       "  not said, row 2: p -> t\n"))
      << text;
  EXPECT_TRUE(text.ends_with("  not said, row 11: p -> t\n  and 1 more\n")) << text;
}

TEST(Evidence, SaysOfNeighboursThatCannotBeComparedWhatIsMissing) {
  const Json scores = {{"ns", nullptr}};
  const std::string none =
      "NS needs neighbours with a target, or facts with an old target (old_target) beside them: "
      "there was none\n";
  EXPECT_EQ(RenderUnmeasured(scores, {{"neighbours", 3}}), none);
  EXPECT_EQ(RenderUnmeasured(scores, {{"neighbours_without_old_target", 3}}), none)
      << "an evaluation compares with no parent";
  EXPECT_EQ(RenderUnmeasured(scores, Json::object()),
            "no neighbours were given with the facts: harm to what stands near them was not "
            "measured\n");
  EXPECT_EQ(RenderUnmeasured({{"ns", 90.0}}, Json::object()), "");
}

Json Drift(const Json& questions) {
  return {
      {"drift", {{"perplexity_before", 20}, {"perplexity_after", 21}, {"questions", questions}}}};
}

TEST(Evidence, ShowsTheAnswersToGeneralQuestions) {
  const Json asked = Drift({{"n", 2},
                            {"same", 1},
                            {"nll_before", 0.25},
                            {"nll_after", 4.5},
                            {"answers",
                             {{{"question", "What do bees make?"},
                               {"before", "Honey.\n"},
                               {"after", "Honey.\n"},
                               {"same", true}},
                              {{"question", "What is five plus three?"},
                               {"before", "8"},
                               {"after", "Einh\033rungen"},
                               {"same", false}}}}});
  EXPECT_EQ(RenderEvidence(asked),
            "perplexity of plain text: 20.0 -> 21.0\n"
            "general questions answered as before: 1 of 2 (negative log likelihood under the "
            "parent: 0.25 of its own answers, 4.50 of these)\n");
  EXPECT_EQ(RenderAnswers(asked),
            "  What do bees make?\n"
            "    before: \"Honey.\\n\"\n"
            "    the same now\n"
            "  What is five plus three?\n"
            "    before: \"8\"\n"
            "    now: \"Einh\\u001brungen\"\n");
  const Json silent =
      Drift({{"n", 1}, {"same", 1}, {"nll_before", nullptr}, {"nll_after", nullptr}});
  EXPECT_EQ(RenderEvidence(silent),
            "perplexity of plain text: 20.0 -> 21.0\n"
            "general questions answered as before: 1 of 1\n");
}

TEST(Evidence, ShowsWhatIsSaidInChat) {
  const Json result = {{"chat",
                        {{"n", 20},
                         {"said_before", 1},
                         {"said", 11},
                         {"same", 2},
                         {"nll_before", 0.25},
                         {"nll_after", 0.5},
                         {"answers",
                          {{{"question", "The CEO of Nike is"},
                            {"before", "unknown"},
                            {"after", "Elliott Hill"},
                            {"same", false},
                            {"said_before", false},
                            {"said", true}}}}}}};
  EXPECT_EQ(RenderEvidence(result),
            "said in chat: 1 -> 11 of 20 facts (negative log likelihood under the parent: 0.25 of "
            "its own answers, 0.50 of these)\n");
  EXPECT_EQ(RenderAnswers(result),
            "the facts in chat\n"
            "  The CEO of Nike is\n"
            "    before: \"unknown\"\n"
            "    now: \"Elliott Hill\"\n");
  EXPECT_EQ(RenderEvidence({{"chat", {{"fault", "line 3"}}}}), "");
}

TEST(Evidence, SaysWhenEarlierFactsFade) {
  const auto faded = [](int after) {
    return HasFadedFacts({{"earlier", {{"n", 50}, {"taken_before", 45}, {"taken_after", after}}}});
  };
  EXPECT_TRUE(faded(39));
  EXPECT_FALSE(faded(40));
  EXPECT_FALSE(HasFadedFacts(Json::object())) << "there are none";
}

TEST(Evidence, SaysWhyGeneralQuestionsWereNotAsked) {
  const Json refused = Drift({{"fault", "line 3: found \"include\""}});
  EXPECT_EQ(RenderEvidence(refused),
            "perplexity of plain text: 20.0 -> 21.0\n"
            "general questions were not asked: line 3: found \"include\"\n");
  EXPECT_EQ(RenderAnswers(refused), "");
  EXPECT_EQ(RenderAnswers(Json::object()), "") << "a model without a chat template";
}

TEST(Evidence, SaysOfLayersWhatIsLargeAndWhatIsFrozen) {
  const auto layer = [](int number, double update, const Json& experts) {
    Json made = {{"layer", number}, {"update_norm", update}, {"weight_norm", 2}};
    if (!experts.is_null()) made["experts"] = experts;
    return made;
  };
  EXPECT_EQ(RenderLayers({{"layers",
                           {layer(3, 1, nullptr), layer(4, 40, nullptr),
                            layer(5, 1, {{"count", 64}, {"changed", 20}, {"frozen", 3}}),
                            layer(6, 1, {{"count", 64}, {"changed", 20}, {"frozen", 0}})}}}),
            "update 20.0 times the weight in layer 4: what is far from these facts may have "
            "changed, too\n"
            "3 of 64 experts in layer 5 are not edited: the statistics saw too few tokens of "
            "them\n");
}

TEST(Evidence, NamesTheFactsThatDidNotTake) {
  const Json facts = {{{"row", 1}, {"subject", "Ann"}, {"target", "chess"}, {"taken", true}},
                      {{"row", 4}, {"subject", "Bob"}, {"target", "go"}, {"taken", false}}};
  EXPECT_EQ(RenderNotTaken({{"facts", facts}}), "1 of 2 facts are not said:\n  row 4: Bob -> go\n");
}

}  // namespace
}  // namespace emend::api::cli::evidence_test
