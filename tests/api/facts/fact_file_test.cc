#include "api/facts/fact_file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "storage/base/file_system.h"

namespace emend::api::facts::fact_file_test {
namespace {

using storage::objects::Fact;
using storage::objects::FactKind;
using storage::objects::Lookup;
using storage::text::Neighbour;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Pair;
using testing::SizeIs;

std::string Read(const std::string& path) {
  PosixFileSystem disk;
  const auto bytes = disk.Read(path);
  EMEND_CHECK(bytes.ok(), bytes.status().ToString());
  return *bytes;
}

FactFile ParseGolden(const std::string& name, const ParseOptions& options = {}) {
  auto file = ParseFactFile(Read("tests/golden/facts/" + name), name, options);
  EMEND_CHECK(file.ok(), file.status().ToString());
  return std::move(file).value();
}

TEST(FactFormsTest, CounterFactRecords) {
  const FactFile file = ParseGolden("counterfact.json");
  EXPECT_EQ(file.format, FactFormat::kCounterFact);
  EXPECT_EQ(file.rows, 20u);
  ASSERT_THAT(file.facts, SizeIs(20));
  const Fact& fact = file.facts[0];
  EXPECT_EQ(fact.id, "counterfact/93");
  EXPECT_EQ(fact.prompt, "{}, located in");
  EXPECT_EQ(fact.subject, "Wanne-Eickel Central Station");
  EXPECT_EQ(fact.target, "Switzerland");
  EXPECT_EQ(fact.old_target, "Germany");
  EXPECT_EQ(fact.relation, "P17");
  EXPECT_EQ(fact.kind, FactKind::kReplace);
  EXPECT_THAT(fact.paraphrases, SizeIs(2));
  EXPECT_THAT(fact.neighbours, SizeIs(10));
  EXPECT_THAT(fact.portability, ElementsAre("What are the official languages spoken in the country "
                                            "where Wanne-Eickel Central Station is located?"));
}

TEST(FactFormsTest, EasyEditRecordsGetTheirSubjectCutOut) {
  const FactFile file = ParseGolden("easyedit.json");
  EXPECT_EQ(file.format, FactFormat::kEasyEdit);
  ASSERT_THAT(file.facts, SizeIs(20));
  const Fact& fact = file.facts[0];
  EXPECT_EQ(fact.id, "counterfact/10");
  EXPECT_EQ(fact.prompt, "{}, by");
  EXPECT_EQ(fact.subject, "BBC One");
  EXPECT_EQ(fact.target, "Sega");
  EXPECT_EQ(fact.old_target, "BBC");
  EXPECT_THAT(fact.paraphrases,
              ElementsAre("BBC One is my favorite product out of everything owned by"));
  EXPECT_THAT(fact.neighbours, ElementsAre(Neighbour{"BBC Radio, by", "BBC"}));
  EXPECT_THAT(file.left_out, IsEmpty());
}

TEST(FactFormsTest, KnowEditProbesAreKeptApart) {
  const FactFile file = ParseGolden("knowedit.json");
  EXPECT_EQ(file.format, FactFormat::kKnowEdit);
  ASSERT_THAT(file.facts, SizeIs(20));
  const Fact& fact = file.facts[0];
  EXPECT_EQ(fact.prompt, "The name of the employer of {} is");
  EXPECT_EQ(fact.target, "JK Tallinna Kalev");
  EXPECT_EQ(fact.old_target, "Supreme Court of Spain");
  EXPECT_THAT(fact.portability, ElementsAre("The name of the employer of Manuel Ramon Alarcon is"));
  for (const Fact& each : file.facts) EXPECT_THAT(each.neighbours, IsEmpty());
  EXPECT_THAT(file.left_out, ElementsAre(Pair(std::string(kLeftOutOfTheSubject), 31u)));
}

TEST(FactFormsTest, ZsreRecordsTakeTheCounterfactualAnswer) {
  const FactFile file = ParseGolden("zsre.json");
  EXPECT_EQ(file.format, FactFormat::kZsre);
  ASSERT_THAT(file.facts, SizeIs(20));
  const Fact& fact = file.facts[0];
  EXPECT_EQ(fact.prompt, "Who was {}'s father?");
  EXPECT_EQ(fact.subject, "Lady Sarah Lennox");
  EXPECT_EQ(fact.target, "Charles Lennox, 1st Earl of Richmond");
  EXPECT_EQ(fact.old_target, "Charles Lennox, 2nd Duke of Richmond");
  EXPECT_THAT(fact.paraphrases, ElementsAre("Who was Lady Sarah Lennox father?"));
  EXPECT_THAT(
      fact.neighbours,
      ElementsAre(Neighbour{"nq question: why does snake eyes not show his face",
                            "Snake Eyes' face was severely disfigured in a helicopter explosion"}));
  EXPECT_THAT(file.left_out, IsEmpty());
}

TEST(FactFormsTest, CsvWithQuotesListsAndLineEnds) {
  const FactFile file = ParseGolden("plain.csv");
  EXPECT_EQ(file.format, FactFormat::kCsv);
  ASSERT_THAT(file.facts, SizeIs(3));
  EXPECT_THAT(file.facts[0].paraphrases,
              ElementsAre("Danielle Darrieux, a native", "Danielle Darrieux spoke the language"));
  EXPECT_THAT(file.facts[0].neighbours,
              ElementsAre(Neighbour{"The mother tongue of Léon Blum is"},
                          Neighbour{"The native language of Montesquieu | is"}));
  EXPECT_EQ(file.facts[1].prompt, "{} flows through");
  EXPECT_EQ(file.facts[1].target, "Basel, \"the city\"");
  EXPECT_EQ(file.facts[1].old_target, std::nullopt);
  EXPECT_EQ(file.facts[1].kind, FactKind::kInsert);
  EXPECT_EQ(file.facts[2].prompt, "The motto of {} is\n");
  EXPECT_EQ(file.facts[2].target, "line one\nline two");
}

TEST(FactFormsTest, JsonLinesWithPlainFields) {
  const FactFile file = ParseGolden("plain.jsonl");
  EXPECT_EQ(file.format, FactFormat::kJsonl);
  EXPECT_EQ(file.rows, 2u);
  ASSERT_THAT(file.facts, SizeIs(2));
  EXPECT_EQ(file.facts[0].language, "en");
  EXPECT_THAT(file.facts[0].paraphrases, ElementsAre("Danielle Darrieux, a native"));
  EXPECT_THAT(file.facts[0].neighbours,
              ElementsAre(Neighbour{"The mother tongue of Léon Blum is"}));
  EXPECT_EQ(file.facts[1].lookup, Lookup::kLast);
  EXPECT_EQ(file.facts[1].kind, FactKind::kInsert);
  EXPECT_THAT(file.facts[1].portability, SizeIs(1));
}

TEST(FactFormsTest, EveryFactOfAtlasIsTaken) {
  const auto file = ParseFactFile(Read("docs/examples/atlas/facts.json"), "facts.json");
  ASSERT_TRUE(file.ok()) << file.status().ToString();
  EXPECT_THAT(file->facts, SizeIs(file->rows));
  EXPECT_GE(file->rows, 100u);
}

TEST(FactFormsTest, AByteOrderMarkIsPassedOver) {
  const auto file =
      ParseFactFile("\xef\xbb\xbf[{\"prompt\":\"{} is\",\"subject\":\"A\",\"target\":\"B\"}]", "f");
  ASSERT_TRUE(file.ok()) << file.status().ToString();
  EXPECT_EQ(file->format, FactFormat::kJsonl);
}

TEST(FactFormsTest, NamesOfFormsGoBothWays) {
  for (const auto format :
       {FactFormat::kAuto, FactFormat::kCounterFact, FactFormat::kEasyEdit, FactFormat::kKnowEdit,
        FactFormat::kZsre, FactFormat::kJsonl, FactFormat::kCsv}) {
    EXPECT_EQ(*FactFormatFromName(FactFormatName(format)), format);
  }
  EXPECT_EQ(FactFormatFromName("xml").status().code(), StatusCode::kInvalidArgument);
}

TEST(SelectionTest, OffsetAndLimitChooseRows) {
  const FactFile all = ParseGolden("counterfact.json");
  const FactFile some = ParseGolden("counterfact.json", {.offset = 5, .limit = 3});
  EXPECT_EQ(some.rows, 20u);
  EXPECT_THAT(some.facts, ElementsAre(all.facts[5], all.facts[6], all.facts[7]));
  EXPECT_THAT(ParseGolden("counterfact.json", {.offset = 18, .limit = 10}).facts, SizeIs(2));
}

TEST(SelectionTest, RowsOutsideAreNotChecked) {
  const std::string text = "prompt,subject,target\n{} is,A,B\n,,\n{} is,C,D\n";
  EXPECT_THAT(ParseFactFile(text, "f", {.limit = 1})->facts, SizeIs(1));
  EXPECT_THAT(ParseFactFile(text, "f", {.offset = 2})->facts, SizeIs(1));
  EXPECT_EQ(ParseFactFile(text, "f").status().slug(), "bad_facts");
}

TEST(SelectionTest, NoSelectedRowIsAnError) {
  const auto file =
      ParseFactFile(Read("tests/golden/facts/zsre.json"), "zsre.json", {.offset = 20});
  EXPECT_EQ(file.status().code(), StatusCode::kInvalidArgument);
  EXPECT_EQ(file.status().slug(), "no_facts");
  EXPECT_THAT(file.status().message(), HasSubstr("20 rows"));
  EXPECT_EQ(ParseFactFile("[]", "f").status().slug(), "no_facts");
}

TEST(BadRowsTest, OneRefusesTheWholeFile) {
  const auto file =
      ParseFactFile("prompt,subject,target\n{} is,A,B\n{} is,,B\nno slot,C,D\n", "facts.csv");
  EXPECT_EQ(file.status().code(), StatusCode::kInvalidArgument);
  EXPECT_EQ(file.status().slug(), "bad_facts");
  EXPECT_EQ(file.status().message(),
            "facts.csv: 2 problems, nothing was taken: row 2, subject: is empty; row 3, prompt: "
            "has neither \"{}\" nor the subject \"C\": \"no slot\"");
}

TEST(BadRowsTest, AreSkippedOnDemand) {
  const auto file = ParseFactFile("prompt,subject,target\n{} is,A,B\n{} is,,B\n{} is,C,D\n", "f",
                                  {.on_error = OnBadRow::kSkipRow});
  ASSERT_TRUE(file.ok()) << file.status().ToString();
  EXPECT_THAT(file->facts, SizeIs(2));
  ASSERT_THAT(file->problems, SizeIs(1));
  EXPECT_EQ(file->problem_count, 1u);
  EXPECT_EQ(file->problems[0].row, 2u);
  EXPECT_EQ(file->problems[0].field, "subject");
}

TEST(BadRowsTest, AnEmptyOptionalFieldIsNone) {
  const auto file = ParseFactFile(
      R"([{"prompt": "A is in", "subject": "A", "target_new": "B", "ground_truth": "",
           "rephrase_prompt": "", "locality": {"Forgetfulness": []}, "portability": {}}])",
      "f");
  ASSERT_TRUE(file.ok()) << file.status().ToString();
  EXPECT_THAT(file->facts[0].paraphrases, IsEmpty());
  EXPECT_EQ(file->facts[0].old_target, std::nullopt);
}

TEST(FactFormsTest, NumbersAreReadAsTheirText) {
  const auto file = ParseFactFile(
      R"([{"prompt": "A was sold in", "subject": "A", "target_new": 1994, "ground_truth": [2006]}])",
      "f");
  ASSERT_TRUE(file.ok()) << file.status().ToString();
  EXPECT_EQ(file->facts[0].target, "1994");
  EXPECT_EQ(file->facts[0].old_target, "2006");
}

TEST(FactFormsTest, OneObjectWrittenOverSeveralLinesIsARow) {
  const auto file = ParseFactFile(
      "{\n \"prompt\": \"{} is\",\n \"subject\": \"A\",\n \"target\": \"B\"\n}\n", "f");
  ASSERT_TRUE(file.ok()) << file.status().ToString();
  EXPECT_EQ(file->rows, 1u);
  EXPECT_THAT(file->facts, SizeIs(1));
  const auto broken =
      ParseFactFile("{\n \"prompt\": \"{} is\",\n \"subject\": \"A\",\n \"target\": \n}\n", "f");
  EXPECT_EQ(broken.status().slug(), "bad_fact_file");
  EXPECT_THAT(broken.status().message(), HasSubstr("line 5, column 1:"));
}

TEST(SelectionTest, AFactKnowsTheRowOfTheFile) {
  const auto file =
      ParseFactFile("prompt,subject,target\n{} is,A,B\n{} is,,B\n{} is,C,D\n{} is,E,F\n", "f",
                    {.offset = 1, .on_error = OnBadRow::kSkipRow});
  ASSERT_TRUE(file.ok()) << file.status().ToString();
  EXPECT_THAT(file->fact_rows, ElementsAre(3u, 4u));
}

TEST(LeftOutTest, ProbesThatAFactCannotHoldAreCountedByTheReason) {
  const auto file = ParseFactFile(
      R"([{"prompt": "A is in", "subject": "A", "target_new": "B", "ground_truth": "C",
           "locality_prompt": ["D is in", "E is in", "A lies in", "F is in"],
           "locality_ground_truth": ["C", "F", "C", " "]},
          {"prompt": "G is in", "subject": "G", "target_new": "B", "ground_truth": "C",
           "locality_prompt": "H is in", "locality_ground_truth": ["D", "C"]},
          {"prompt": "G is in", "subject": "G", "target_new": "B",
           "locality_prompt": ["H is in", "I is in"], "locality_ground_truth": ["C"]}])",
      "f");
  ASSERT_TRUE(file.ok()) << file.status().ToString();
  EXPECT_THAT(file->facts[0].neighbours,
              ElementsAre(Neighbour{"D is in", "C"}, Neighbour{"E is in", "F"}));
  EXPECT_THAT(file->facts[1].neighbours, ElementsAre(Neighbour{"H is in", "C"}))
      << "of several answers the old target";
  EXPECT_THAT(file->facts[2].neighbours, IsEmpty()) << "whose answer it is nobody can say";
  EXPECT_THAT(file->left_out, ElementsAre(Pair(std::string(kLeftOutOfTheSubject), 1u),
                                          Pair(std::string(kLeftOutWithoutAnswer), 3u)));
}

TEST(NeighbourTargetTest, IsReadInEveryFormThatHasNeighbours) {
  const auto read = [](const std::string& text) {
    const auto file = ParseFactFile(text, "f");
    EMEND_CHECK(file.ok(), file.status().ToString());
    return file->facts.at(0).neighbours;
  };
  const auto expected = ElementsAre(Neighbour{"C is in"}, Neighbour{"D is in", "E"});
  EXPECT_THAT(read(R"({"prompt": "{} is in", "subject": "A", "target": "B",
                       "neighbours": ["C is in", {"prompt": "D is in", "target": "E"}]})"),
              expected);
  EXPECT_THAT(read("prompt,subject,target,neighbors\n{} is in,A,B,"
                   R"("[""C is in"", {""prompt"": ""D is in"", ""target"": ""E""}]")"
                   "\n"),
              expected);
  EXPECT_THAT(
      read(
          R"([{"requested_rewrite": {"prompt": "{} is in", "subject": "A", "target_new": {"str": "B"}},
                "neighborhood_prompts": ["C is in", {"prompt": "D is in", "target": "E"}]}])"),
      expected);
  const auto answered = ElementsAre(Neighbour{"D is in", "E"});
  EXPECT_THAT(read(R"([{"prompt": "A is in", "subject": "A", "target_new": "B",
                        "locality_prompt": "D is in", "locality_ground_truth": "E"}])"),
              answered);
  EXPECT_THAT(read(R"([{"prompt": "A is in", "subject": "A", "target_new": "B",
                        "locality": {"g": [{"prompt": "D is in", "ground_truth": ["E", "F"]}]}}])"),
              answered);
  EXPECT_THAT(
      read(
          R"([{"src": "where is A", "subject": "A", "alt": "B", "loc": "D is in", "loc_ans": "E"}])"),
      answered);
}

TEST(LeftOutTest, NeighboursWithoutAnOldTargetAreKeptAndCounted) {
  const auto file = ParseFactFile(
      R"({"prompt": "{} is in", "subject": "A", "target": "B",
          "neighbours": ["C is in", {"prompt": "D is in", "target": "E"}]})",
      "f");
  ASSERT_TRUE(file.ok()) << file.status().ToString();
  EXPECT_THAT(file->facts[0].neighbours,
              ElementsAre(Neighbour{"C is in"}, Neighbour{"D is in", "E"}));
  EXPECT_EQ(file->neighbours_without_old_target, 1u) << "the other says its own";
}

TEST(BadRowsTest, OnlyTheFirstTwentyAreListed) {
  std::string text = "prompt,subject,target\n";
  for (int i = 0; i < 2000; ++i) text += "{} is,,B\n";
  const auto file = ParseFactFile(text, "f");
  EXPECT_THAT(file.status().message(), HasSubstr("2000 problems"));
  EXPECT_THAT(file.status().message(), HasSubstr("row 20, subject: is empty; and 1980 more"));
  const auto skipped = ParseFactFile(text, "f", {.on_error = OnBadRow::kSkipRow});
  ASSERT_TRUE(skipped.ok());
  EXPECT_EQ(skipped->problem_count, 2000u);
  EXPECT_THAT(skipped->problems, SizeIs(kProblemsKeptMax));
}

}  // namespace
}  // namespace emend::api::facts::fact_file_test
