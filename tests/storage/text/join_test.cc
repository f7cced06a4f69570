#include "storage/text/join.h"

#include <gtest/gtest.h>

#include "storage/text/slot.h"

namespace emend::storage::text::join_test {
namespace {

std::string Joined(std::string_view prompt, std::string_view target, Join join = Join::kByText) {
  return std::string(prompt) + AnswerText(prompt, target, join);
}

TEST(Join, WordsAreKeptApartByOneSpace) {
  EXPECT_EQ(Joined("The Thames is in", "England"), "The Thames is in England");
  EXPECT_EQ(Joined("The Thames is in", " England"), "The Thames is in England");
  EXPECT_EQ(Joined("Die Hauptstadt ist Köl", "n"), "Die Hauptstadt ist Köl n");
  EXPECT_EQ(Joined("He said \"yes\"", "twice"), "He said \"yes\" twice");
  EXPECT_EQ(Joined("The answer -", "no"), "The answer - no");
  EXPECT_EQ(Joined("수도는", "서울"), "수도는 서울");
  EXPECT_EQ(Joined("The character for water is", "水"), "The character for water is 水");
}

TEST(Join, ThePromptsEndMaySayThatTheAnswerFollowsDirectly) {
  for (const std::string prompt :
       {"The country (", "It is [", "Name: {", "It is «", "She said “", "She said \"", "He said '",
        "Platform A-", "### Answer:\n", "Answer:\t", "Answer: ", "英国的首都是", "首都は",
        "首都は「", "เมืองหลวงคือ", "答え：", "The name \u3000"}) {
    EXPECT_EQ(Joined(prompt, "X"), prompt + "X");
  }
}

TEST(Join, AFactMaySayIt) {
  EXPECT_EQ(Joined("Part no. A", "17", Join::kNone), "Part no. A17");
  EXPECT_EQ(Joined("代码是", "A", Join::kSpace), "代码是 A");
}

TEST(Slot, IsCountedAndFilledIn) {
  EXPECT_EQ(CountSlots("none"), 0U);
  EXPECT_EQ(CountSlots("{} and {}"), 2U);
  EXPECT_EQ(FillSlot("In {}, by", "Oslo {}"), "In Oslo {}, by");
  EXPECT_EQ(FillSlot("none", "Oslo"), "none");
}

}  // namespace
}  // namespace emend::storage::text::join_test
