#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "api/facts/fact_file.h"

namespace emend::api::facts {
namespace {

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
  for (std::size_t i = 0; i < kProbesPerFactMax; ++i) probes += ",\"p\"";
  return R"({"prompt":"{} is","subject":"A","target":"B","paraphrases":[)" + probes + "]}";
}

const std::vector<BadFile>& BadFiles() {
  static const std::vector<BadFile> files = {
      {"Empty", "", "is empty", "bad_fact_file"},
      {"Blank", " \n\t\n", "is empty", "bad_fact_file"},
      {"NotUtf8", "prompt,subject,target\n{} is,Z\xfcrich,B\n", "is not UTF-8 at byte 29, line 2",
       "bad_fact_file"},
      {"BrokenJson", "[{\"prompt\": \"{} is\"},\n {\"prompt\": }]", "line 2, behind row 2",
       "bad_fact_file"},
      {"BehindTheArray", "[] x", "is not JSON: it breaks at byte 4", "bad_fact_file"},
      {"DeepJson", std::string(100, '['), "nested deeper", "bad_fact_file"},
      {"BrokenLine", Plain("{} is", "A", "B") + "{oops\n", "row 2: is not JSON"},
      {"LoneSurrogate", R"([{"prompt":"\ud800","subject":"A","target":"B"}])", "is not JSON",
       "bad_fact_file"},
      {"Numbers", "[1, 2]", "row 1: has the fields of no known form"},
      {"UnknownForm", R"([{"question":"who"}])", "row 1: has the fields of no known form"},
      {"MixedKinds", R"([{"prompt":"{} is","subject":"A","target":"B"}, "text"])",
       "row 2: expected an object, found string"},
      {"NoHeader", "{} is", "row 1: is not JSON"},
      {"ForeignColumn", "prompt,subject,target,colour\n", "the column \"colour\"", "bad_fact_file"},
      {"ColumnTwice", "prompt,subject,target,target\n", "\"target\" twice", "bad_fact_file"},
      {"NoTargetColumn", "prompt,subject\n", "there is no target", "bad_fact_file"},
      {"ShortRow", "prompt,subject,target\n{} is,A\n", "row 1: has 2 cells; the header has 3"},
      {"BrokenList", "prompt,subject,target,paraphrases\n{} is,A,B,[oops\n",
       "row 1, paraphrases: begins with"},
      {"ListOfNumbers", "prompt,subject,target,paraphrases\n{} is,A,B,[1]\n",
       "row 1, paraphrases[0]: expected a string"},
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
       "target: has a control character (0) at byte 1"},
      {"EscapeInPrompt", Plain("{} \\u001b[1m is", "A", "B"),
       "prompt: has a control character (27)"},
      {"LongPrompt", Plain("{} " + std::string(kPromptBytesMax, 'a'), "A", "B"),
       "prompt: has 4099 bytes"},
      {"LongSubject", Plain("{} is", std::string(kSubjectBytesMax + 1, 'a'), "B"),
       "subject: has 1025 bytes"},
      {"LongTarget", Plain("{} is", "A", std::string(kTargetBytesMax + 1, 'a')),
       "target: has 1025 bytes"},
      {"ManyProbes", ManyProbes(), "paraphrases[0]: is one of 257"},
      {"ForeignKind", R"({"prompt":"{} is","subject":"A","target":"B","kind":"erase"})",
       "kind: is \"erase\"; expected one of replace, insert"},
      {"NoRewrite", R"([{"requested_rewrite":"x"}])",
       "requested_rewrite: expected an object, found string"},
      {"NoNewTarget", R"([{"requested_rewrite":{"prompt":"{} is","subject":"A"}}])",
       "requested_rewrite.target_new: expected an object, found nothing"},
      {"ZsreWithoutSubject", R"([{"src":"who is A","alt":"B"}])",
       "subject: expected a string, found nothing"},
      {"LocalityAsText", R"([{"prompt":"A is","subject":"A","target_new":"B","locality":"none"}])",
       "locality: expected an object of lists, found string"},
  };
  return files;
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

INSTANTIATE_TEST_SUITE_P(EveryFault, BadFileTest, testing::ValuesIn(BadFiles()),
                         [](const auto& test) { return test.param.name; });

TEST(WrittenOutSubjectTest, TheWholeWordIsMeantWhereOthersContainIt) {
  const auto file = ParseFactFile(
      Plain("The Romans of Rome say", "Rome", "B") + Plain("A man in Oman", "man", "B"), "f");
  ASSERT_TRUE(file.ok()) << file.status().ToString();
  EXPECT_EQ(file->facts[0].prompt, "The Romans of {} say");
  EXPECT_EQ(file->facts[1].prompt, "A {} in Oman");
}

TEST(WhiteSpaceTest, IsTakenOffTheEnds) {
  const auto file = ParseFactFile(Plain("{} is  ", " A ", " B "), "f");
  ASSERT_TRUE(file.ok()) << file.status().ToString();
  EXPECT_THAT(file->facts,
              ElementsAre(storage::objects::Fact{.id = {},
                                                 .prompt = "{} is",
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
  const std::string text = R"([{"prompt":"A is","subject":"A","target_new":"B","target":"C"}])";
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
}  // namespace emend::api::facts
