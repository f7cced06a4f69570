#include "storage/facts/fact_json.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "storage/json/document.h"

namespace emend::storage::facts::fact_json_test {
namespace {

using objects::Fact;
using objects::FactKind;
using testing::ElementsAre;
using testing::HasSubstr;
using text::Neighbour;

// The fact, or what was complained of.
struct Outcome {
  std::optional<Fact> fact;
  std::string complaints;
};

Outcome ReadFact(const std::string& text) {
  Outcome outcome;
  const Complain complain = [&](const std::string& field, const std::string& message) {
    outcome.complaints += field + ": " + message + "; ";
  };
  auto document = json::Document::Parse(text);
  EMEND_CHECK(document.ok(), document.status().ToString());
  const Draft draft = ReadDraft(document->root(), complain);
  outcome.fact = CheckDraft(draft, complain);
  return outcome;
}

std::string With(const std::string& more) {
  return R"({"prompt": "{} is in", "subject": "Oslo", "target": "Norway")" + more + "}";
}

TEST(FactJson, EveryFieldSurvivesTheWayToJsonAndBack) {
  const auto read = ReadFact(With(
      R"(, "id": "a/1", "old_target": "Sweden", "relation": "P17", "language": "en",
      "paraphrases": ["Oslo lies in"],
      "neighbours": ["Bergen is in", {"prompt": "Malmö is in", "target": "Sweden"}],
      "portability": ["The king of {} is"], "lookup": "last",
      "kind": "refuse", "join": "none")"));
  ASSERT_TRUE(read.fact.has_value()) << read.complaints;
  EXPECT_EQ(read.fact->portability, std::vector<std::string>{"The king of Oslo is"});
  EXPECT_EQ(read.fact->join, text::Join::kNone);
  EXPECT_EQ(ReadFact(FactToJson(*read.fact)).fact, read.fact);
  for (const FieldRow& row : Fields())
    EXPECT_THAT(FactToJson(*read.fact), HasSubstr("\"" + std::string(row.name) + "\":"));
  const auto bare = ReadFact(With(""));
  EXPECT_EQ(ReadFact(FactToJson(*bare.fact)).fact, bare.fact);
  Fact replaced = *bare.fact;
  replaced.kind = FactKind::kReplace;
  EXPECT_EQ(ReadFact(FactToJson(replaced)).fact, replaced);
}

TEST(FactJson, AnEmptyOptionalFieldIsAnAbsentOne) {
  const auto read = ReadFact(With(
      R"(, "id": "", "old_target": null, "relation": " ", "paraphrases": ["", null], "neighbours": null, "kind": "")"));
  EXPECT_EQ(read.complaints, "");
  EXPECT_EQ(read.fact, ReadFact(With("")).fact);
}

TEST(FactJson, NumbersAreReadAsTheirText) {
  const auto read = ReadFact(
      R"({"prompt": "{} was sold in", "subject": 12.50, "target": 1994, "old_target": 1e3})");
  ASSERT_TRUE(read.fact.has_value()) << read.complaints;
  EXPECT_EQ(read.fact->subject, "12.50");
  EXPECT_EQ(read.fact->target, "1994");
  EXPECT_EQ(read.fact->old_target, "1e3");
}

TEST(FactJson, TextsThatLookAlikeAreOne) {
  const auto composed = ReadFact(
      "{\"prompt\": \"Z\u00fcrich is\", \"subject\": \"Z\u00fcrich\", \"target\": \"caf\u00e9\"}");
  const auto decomposed = ReadFact(
      "{\"prompt\": \"Zu\u0308rich is\", \"subject\": \"Z\u00fcrich\", "
      "\"target\": \"\u3000cafe\u0301\u00a0\"}");
  ASSERT_TRUE(composed.fact && decomposed.fact) << decomposed.complaints;
  EXPECT_EQ(*composed.fact, *decomposed.fact);
  EXPECT_EQ(SlotOf(*composed.fact), SlotOf(*decomposed.fact));
}

TEST(FactJson, ANeighbourMaySayWhatTheModelShouldGoOnToSay) {
  const auto read = ReadFact(With(
      R"(, "neighbours": ["Bergen is in", {"prompt": "Not {} but Bonn is in", "target": " Germany "},
      [{"prompt": "1 +", "target": 2}], {"prompt": "Bari is in", "target": null},
      {"prompt": "", "target": ""}])"));
  EXPECT_EQ(read.complaints, "");
  ASSERT_TRUE(read.fact.has_value());
  EXPECT_THAT(read.fact->neighbours, ElementsAre(Neighbour{"Bergen is in"},
                                                 Neighbour{"Not Oslo but Bonn is in", "Germany"},
                                                 Neighbour{"1 +", "2"}, Neighbour{"Bari is in"}));
  EXPECT_THAT(FactToJson(*read.fact),
              HasSubstr(R"("neighbours":["Bergen is in",{"prompt":"Not Oslo but Bonn is in",)"
                        R"("target":"Germany"},{"prompt":"1 +","target":"2"},"Bari is in"])"));
  const auto alone =
      ReadFact(With(R"(, "neighbors": {"prompt": "Bergen is in", "target": "Norway"})"));
  EXPECT_EQ(alone.complaints, "");
  EXPECT_THAT(alone.fact->neighbours, ElementsAre(Neighbour{"Bergen is in", "Norway"}));
}

TEST(FactJson, WhatIsWrongWithANeighbourIsNamedByItsPlace) {
  const auto complaints = [](const std::string& neighbours) {
    return ReadFact(With(", \"neighbours\": " + neighbours)).complaints;
  };
  EXPECT_EQ(complaints(R"(["a", {"prompt": "b", "answer": "c"}])"),
            "neighbours[1].answer: is not a field of a neighbour; the fields are prompt, target; ");
  EXPECT_EQ(complaints(R"({"target": "c"})"),
            "neighbours.prompt: is empty, and there is a target for it; ");
  EXPECT_EQ(complaints(R"([{"prompt": ["b"], "target": "c"}])"),
            "neighbours[0].prompt: expected a string, found array; "
            "neighbours[0].prompt: is empty, and there is a target for it; ");
  EXPECT_EQ(complaints("[true]"),
            "neighbours[0]: expected a string, an object of prompt and target, or a list of them, "
            "found true; ");
  EXPECT_EQ(complaints(R"([{"prompt": "b", "target": ")" + std::string(1025, 'c') + "\"}]"),
            "neighbours[0].target: has 1025 bytes; at most 1024 are allowed; ");
  EXPECT_EQ(complaints(R"([{"prompt": ")" + std::string(4097, 'b') + R"(", "target": "c"}])"),
            "neighbours[0].prompt: has 4097 bytes; at most 4096 are allowed; ");
  EXPECT_EQ(complaints("[{\"prompt\": \"b\", \"target\": \"c\u200b\"}]"),
            "neighbours[0].target: has the character U+200B (zero width space), which nobody sees, "
            "at byte 1: \"c\u200b\"; take it out; ");
}

TEST(FactJson, OnlyANeighbourHasATargetOfItsOwn) {
  for (const std::string name : {"paraphrases", "portability"}) {
    EXPECT_EQ(ReadFact(With(", \"" + name + R"(": [{"prompt": "a", "target": "b"}])")).complaints,
              name + "[0]: expected a string or a list of strings, found object; ");
  }
}

TEST(FactJson, WhereAPromptEndsIsKept) {
  EXPECT_EQ(ReadFact(R"({"prompt": "Q: {}?\nA:\n", "subject": "a", "target": "b"})").fact->prompt,
            "Q: {}?\nA:\n");
  EXPECT_THAT(ReadFact(With(R"(, "paraphrases": ["Oslo:\n"])")).fact->paraphrases,
              ElementsAre("Oslo:\n"));
}

TEST(FactJson, WhatIsWrongIsNamedByItsField) {
  EXPECT_THAT(ReadFact(With(R"(, "colour": 1)")).complaints,
              HasSubstr("colour: is not a field of a fact; the fields are id, prompt, subject"));
  EXPECT_THAT(ReadFact(With(R"(, "paraphrases": [{"a": 1}])")).complaints,
              HasSubstr("paraphrases[0]: expected a string or a list of strings, found object"));
  EXPECT_THAT(ReadFact(With(R"(, "neighbors": ["a"], "neighbours": ["b"])")).complaints,
              HasSubstr("is given twice, as neighbours and as neighbors"));
  EXPECT_THAT(ReadFact(R"({"prompt": "{} is", "subject": "a"})").complaints,
              HasSubstr("target: is empty"));
  EXPECT_THAT(
      ReadFact("{\"prompt\": \"{} is\", \"subject\": \"a\", \"target\": \"b\u200bc\"}").complaints,
      HasSubstr("target: has the character U+200B (zero width space)"));
  EXPECT_THAT(ReadFact(R"({"prompt": "{} is", "subject": true, "target": "b"})").complaints,
              HasSubstr("subject: expected a string, found true"));
}

TEST(FactJson, AFactThatChangesNothingIsRefused) {
  EXPECT_THAT(ReadFact(R"({"prompt": "{} is", "subject": "a", "target": "b", "old_target": "b "})")
                  .complaints,
              HasSubstr("old_target: is the target"));
}

TEST(FactJson, NoComplaintRepeatsALongText) {
  const std::string large(4000, 'x');
  for (const std::string& text :
       {With(", \"" + large + "\": 1"), With(", \"kind\": \"" + large + "\""),
        R"({"prompt": ")" + large + R"(", "subject": "a", "target": "b"})",
        R"({"prompt": "{}", "subject": ")" + large + R"(", "target": "b"})"}) {
    const auto read = ReadFact(text);
    EXPECT_NE(read.complaints, "");
    EXPECT_LT(read.complaints.size(), 400U);
  }
}

}  // namespace
}  // namespace emend::storage::facts::fact_json_test
