#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "api/facts/fact_file.h"
#include "storage/facts/fields.h"

namespace emend::api::facts::row_check_test {
namespace {

using storage::facts::kProbesMax;
using storage::facts::kPromptBytesMax;
using storage::facts::kSubjectBytesMax;
using storage::facts::kTargetBytesMax;
using testing::ElementsAre;
using testing::HasSubstr;

struct BadFile {
  std::string name;
  std::string bytes;
  std::string message;  // a part of it
  std::string slug = "bad_facts";
};

std::string Plain(const std::string& prompt, const std::string& subject,
                  const std::string& target) {
  return "{\"prompt\":\"" + prompt + "\",\"subject\":\"" + subject + "\",\"target\":\"" + target +
         "\"}\n";
}

std::string ManyProbes() {
  std::string probes = "\"p\"";
  for (std::size_t i = 0; i < kProbesMax; ++i) probes += ",\"p\"";
  return R"({"prompt":"{} is","subject":"A","target":"B","paraphrases":[)" + probes + "]}";
}

std::vector<BadFile> BadFiles() {
  return {
      {"Empty", "", "is empty", "bad_fact_file"},
      {"Blank", " \n\t\n", "is empty", "bad_fact_file"},
      {"NotUtf8", "prompt,subject,target\n{} is,Z\xfcrich,B\n", "is not UTF-8 at byte 29, line 2",
       "bad_fact_file"},
      {"BrokenJson", "[{\"prompt\": \"{} is\"},\n {\"prompt\": }]",
       "row 2 is no JSON: line 2, column 13", "bad_fact_file"},
      {"BehindTheArray", "[] x", "is no JSON: line 1, column 4", "bad_fact_file"},
      {"DeepJson", std::string(100, '['), "nested deeper", "bad_fact_file"},
      {"BrokenLine", Plain("{} is", "A", "B") + "{oops\n", "row 2: is no JSON"},
      {"LoneSurrogate", R"([{"prompt":"\ud800","subject":"A","target":"B"}])", "is no JSON",
       "bad_fact_file"},
      {"Numbers", "[1, 2]", "row 1: has the fields of no known form"},
      {"UnknownForm", R"([{"question":"who"}])", "row 1: has the fields of no known form"},
      {"MixedKinds", R"([{"prompt":"{} is","subject":"A","target":"B"}, "text"])",
       "row 2: expected an object, found \"text\""},
      {"NoHeader", "{} is", "line 1, column 4", "bad_fact_file"},
      {"ForeignColumn", "prompt,subject,target,colour\n", "the column \"colour\"", "bad_fact_file"},
      {"ColumnTwice", "prompt,subject,target,target\n", "\"target\" twice", "bad_fact_file"},
      {"NoTargetColumn", "prompt,subject\n", "there is no target", "bad_fact_file"},
      {"ShortRow", "prompt,subject,target\n{} is,A\n", "row 1: has 2 cells; the header has 3"},
      {"BrokenList", "prompt,subject,target,paraphrases\n{} is,A,B,[oops\n",
       "row 1, paraphrases: begins with"},
      {"ListOfFlags", "prompt,subject,target,paraphrases\n{} is,A,B,[true]\n",
       "row 1, paraphrases[0]: expected a string"},
  };
}

std::vector<BadFile> BadFields() {
  return {
      {"ForeignField", R"({"prompt":"{} is","subject":"A","target":"B","tarmget":"C"})",
       "row 1, tarmget: is not a field"},
      {"TargetAsObject", R"([{"prompt":"{} is","subject":"A","target":{"str":"B"}}])",
       "row 1, target: expected a string, found object"},
      {"NoSlot",
       R"([{"requested_rewrite":{"prompt":"A is","subject":"A","target_new":{"str":"B"}}}])",
       "requested_rewrite.prompt: has no \"{}\""},
      {"TwoSlots", Plain("{} and {} are", "A", "B"), "prompt: has 2 \"{}\""},
      {"SubjectNotThere", Plain("Paris is", "London", "B"), "nor the subject \"London\""},
      {"SubjectTwice", Plain("Rome and Rome are", "Rome", "B"), "more than once"},
      {"EmptySubject", Plain("{} is", " ", "B"), "subject: is empty"},
      {"EmptyTarget", Plain("{} is", "A", ""), "target: is empty"},
      {"SlotInSubject", Plain("{} is", "A{}", "B"), "subject: contains \"{}\""},
      {"NulInTarget", Plain("{} is", "A", "B\\u0000C"),
       "target: has the character U+0000 (control character), which nobody sees, at byte 1"},
      {"EscapeInPrompt", Plain("{} \\u001b[1m is", "A", "B"),
       "prompt: has the character U+001B (control character)"},
      {"LongPrompt", Plain("{} " + std::string(kPromptBytesMax, 'a'), "A", "B"),
       "prompt: has 4099 bytes"},
      {"LongSubject", Plain("{} is", std::string(kSubjectBytesMax + 1, 'a'), "B"),
       "subject: has 1025 bytes"},
      {"LongTarget", Plain("{} is", "A", std::string(kTargetBytesMax + 1, 'a')),
       "target: has 1025 bytes"},
      {"ManyProbes", ManyProbes(), "paraphrases[0]: is one of 257"},
      {"ForeignFieldOfANeighbour",
       R"({"prompt":"{} is","subject":"A","target":"B","neighbours":[{"prompt":"C is","is":"D"}]})",
       "row 1, neighbours[0].is: is not a field of a neighbour; the fields are prompt, target"},
      {"TargetWithoutItsNeighbour",
       R"([{"requested_rewrite":{"prompt":"{} is","subject":"A","target_new":{"str":"B"}},"neighborhood_prompts":[{"target":"D"}]}])",
       "row 1, neighborhood_prompts[0].prompt: is empty, and there is a target for it"},
      {"LongAnswerOfALocalityProbe",
       R"([{"src":"who is A","subject":"A","alt":"B","loc":"C is","loc_ans":")" +
           std::string(kTargetBytesMax + 1, 'a') + "\"}]",
       "row 1, loc_ans: has 1025 bytes"},
  };
}

std::vector<BadFile> BadRecords() {
  return {
      {"ForeignJoin",
       R"({"prompt":"{} is","subject":"A","target":"B","join":""})"
       "\n"
       R"({"prompt":"{} is","subject":"A","target":"B","join":"-"})",
       "row 2, join: is \"-\"; expected one of by_text, none, space"},
      {"ForeignKind", R"({"prompt":"{} is","subject":"A","target":"B","kind":"erase"})",
       "kind: is \"erase\"; expected one of replace, insert"},
      {"FieldTwice",
       R"({"prompt":"{} is","subject":"A","target":"B"})"
       "\n"
       R"({"prompt":"{} is","subject":"A","target":"B","target":"C"})",
       "row 2: the key \"target\" comes twice"},
      {"FieldTwiceInAList", R"([{"prompt":"{} is","subject":"A","target":"B","target":"C"}])",
       "row 1: the key \"target\" comes twice"},
      {"NaN", Plain("{} is", "A", "B") + R"({"prompt":"{} is","subject":"A","target":NaN})",
       "row 2: is no JSON: byte 41 of the line: at /target: found NaN"},
      {"Utf16", std::string("\xff\xfe[\0]\0", 6), "is UTF-16", "bad_fact_file"},
      {"Utf16WithoutMark", std::string("[\0{\0}\0]\0", 8), "is UTF-16", "bad_fact_file"},
      {"Gzip", std::string("\x1f\x8b\x08\0", 4), "is compressed by gzip", "bad_fact_file"},
      {"OldLineEnds", "prompt,subject,target\r{} is,A,B\r", "lines that end with CR alone",
       "bad_fact_file"},
      {"Columns", R"({"prompt":{"0":"{} is"},"subject":{"0":"A"},"target":{"0":"B"}})",
       "row 1: is one object of columns, as pandas writes it"},
      {"RowsBelowAName",
       "{\n \"data\": [{\"prompt\":\"{} is\",\"subject\":\"A\",\"target\":\"B\"}]}",
       "row 1: is an object with the rows below \"data\""},
      {"ListOfRewrites", R"([{"requested_rewrite":[{"prompt":"{} is","subject":"A"}]}])",
       "1 problem, nothing was taken: row 1, requested_rewrite: is a list of rewrites, as MQuAKE"},
      {"ForeignFieldOfACounterFactRecord",
       R"([{"requested_rewrite":{"prompt":"{} is","subject":"A","target_new":{"str":"B"}},"neighbours":["C is"]}])",
       "row 1, neighbours: is not a field of a record of the form counterfact"},
      {"ForeignFieldOfARewrite",
       R"([{"requested_rewrite":{"prompt":"{} is","subject":"A","target_new":{"str":"B"},"lookup":"last"}}])",
       "row 1, requested_rewrite.lookup: is not a field"},
      {"ForeignFieldOfAnEasyEditRecord",
       R"([{"prompt":"A is","subject":"A","target_new":"B","target_old":"C"}])",
       "row 1, target_old: is not a field of a record of the form easyedit"},
      {"ForeignFieldOfAKnowEditProbe",
       R"([{"prompt":"A is","subject":"A","target_new":"B","locality":{"g":[{"prompt":"C is","answer":"D"}]}}])",
       "row 1, locality.g[0].answer: is not a field of a record of the form knowedit"},
      {"ProbeThatIsNoObject",
       R"([{"prompt":"A is","subject":"A","target_new":"B","locality":{"g":["C is"]}}])",
       "row 1, locality.g[0]: expected an object, found \"C is\""},
      {"RewriteThatIsNoObject", R"([{"requested_rewrite":"A is B"}])",
       "row 1, requested_rewrite: expected an object, found \"A is B\""},
      {"TargetThatIsNoObject",
       R"([{"requested_rewrite":{"prompt":"{} is","subject":"A","target_new":["B"]}}])",
       "row 1, requested_rewrite.target_new: expected an object, found array"},
      {"ForeignFieldOfAZsreRecord", R"([{"src":"who is A","subject":"A","alt":"B","loop":"C"}])",
       "row 1, loop: is not a field of a record of the form zsre"},
      {"TargetAsList", R"([{"prompt":"A is","subject":"A","target_new":["B"]}])",
       "row 1, target_new: expected a string, found array"},
      {"NobodySeesIt", Plain("{} is", "A", "Os\u200blo"),
       "row 1, target: has the character U+200B (zero width space)"},
      {"NobodySeesItInAProbe",
       R"({"prompt":"{} is","subject":"A","target":"B","paraphrases":["A\ufeff is"]})",
       "row 1, paraphrases[0]: has the character U+FEFF (byte order mark)"},
      {"NoRewrite", R"([{"requested_rewrite":"x"}])",
       "requested_rewrite: expected an object, found \"x\""},
      {"NoNewTarget", R"([{"requested_rewrite":{"prompt":"{} is","subject":"A"}}])",
       "requested_rewrite.target_new: expected an object, found nothing"},
      {"ZsreWithoutSubject", R"([{"src":"who is A","alt":"B"}])",
       "subject: expected a string, found nothing"},
      {"LocalityAsText", R"([{"prompt":"A is","subject":"A","target_new":"B","locality":"none"}])",
       "locality: expected an object of lists, found \"none\""},
  };
}

class BadFileTest : public testing::TestWithParam<BadFile> {};

TEST_P(BadFileTest, IsRefusedWithRowAndField) {
  const auto file = ParseFactFile(GetParam().bytes, "the-file");
  ASSERT_FALSE(file.ok());
  EXPECT_EQ(file.status().code(), StatusCode::kInvalidArgument);
  EXPECT_EQ(file.status().slug(), GetParam().slug) << file.status().ToString();
  EXPECT_THAT(file.status().message(), HasSubstr("the-file: "));
  EXPECT_THAT(file.status().message(), HasSubstr(GetParam().message));
}

std::string NameOf(const testing::TestParamInfo<BadFile>& test) { return test.param.name; }

INSTANTIATE_TEST_SUITE_P(EveryFile, BadFileTest, testing::ValuesIn(BadFiles()), NameOf);
INSTANTIATE_TEST_SUITE_P(EveryField, BadFileTest, testing::ValuesIn(BadFields()), NameOf);
INSTANTIATE_TEST_SUITE_P(EveryRecord, BadFileTest, testing::ValuesIn(BadRecords()), NameOf);

TEST(WrittenOutSubjectTest, TheWholeWordIsMeantWhereOthersContainIt) {
  const auto file = ParseFactFile(
      Plain("The Romans of Rome say", "Rome", "B") + Plain("A man in Oman", "man", "B"), "f");
  ASSERT_TRUE(file.ok()) << file.status().ToString();
  EXPECT_EQ(file->facts[0].prompt, "The Romans of {} say");
  EXPECT_EQ(file->facts[1].prompt, "A {} in Oman");
}

TEST(WhiteSpaceTest, IsTakenOffTheEndsOfSubjectsAndTargetsAndOffNoPrompt) {
  const auto file = ParseFactFile(Plain("{} is\\n", " A ", "\u00a0B\u3000"), "f");
  ASSERT_TRUE(file.ok()) << file.status().ToString();
  EXPECT_THAT(file->facts,
              ElementsAre(storage::objects::Fact{.id = {},
                                                 .prompt = "{} is\n",
                                                 .subject = "A",
                                                 .target = "B",
                                                 .old_target = {},
                                                 .relation = {},
                                                 .language = {},
                                                 .paraphrases = {},
                                                 .neighbours = {},
                                                 .portability = {},
                                                 .kind = storage::objects::FactKind::kInsert}));
}

TEST(ForcedFormTest, OverridesWhatTheContentLooksLike) {
  const std::string text = R"([{"prompt":"A is","subject":"A","target_new":"B"}])";
  const auto plain = ParseFactFile(text, "f", {.format = FactFormat::kJsonl});
  EXPECT_EQ(plain.status().slug(), "bad_facts");
  EXPECT_THAT(plain.status().message(), HasSubstr("target_new: is not a field of a fact"));
  EXPECT_EQ(ParseFactFile(text, "f", {.format = FactFormat::kEasyEdit})->facts[0].target, "B");
  EXPECT_EQ(ParseFactFile(text, "f", {.format = FactFormat::kZsre}).status().slug(), "bad_facts");
  EXPECT_EQ(ParseFactFile("a,b\n", "f", {.format = FactFormat::kZsre}).status().slug(),
            "bad_fact_file");
}

TEST(BoundsTest, AFileOverTheBoundIsRefused) {
  const std::string huge(kFactFileBytesMax + 1, ' ');
  EXPECT_EQ(ParseFactFile(huge, "f").status().code(), StatusCode::kResourceExhausted);
}

}  // namespace
}  // namespace emend::api::facts::row_check_test
