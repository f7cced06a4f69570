#include "api/cli/text.h"

#include <gtest/gtest.h>

namespace emend::api::cli::text_test {
namespace {

TEST(Table, ColumnsLineUpWhateverTheirBytes) {
  EXPECT_EQ(RenderTable({{"A", "B"}, {"ä", "1"}, {"\033[31mred\033[0m", "2"}}),
            "A    B\nä    1\n\033[31mred\033[0m  2\n");
  EXPECT_EQ(RenderTable({}), "");
  EXPECT_EQ(RenderTable({{"x"}, {}, {"y", "z"}}), "x\n\ny  z\n");
}

TEST(Seconds, AreShortForPeople) {
  EXPECT_EQ(RenderSeconds(0.84), "0.8 s");
  EXPECT_EQ(RenderSeconds(42.4), "42 s");
  EXPECT_EQ(RenderSeconds(185), "3 min 5 s");
  EXPECT_EQ(RenderMebibytes(1 << 19), "0.5 MiB");
}

TEST(Percent, HasOneDigit) { EXPECT_EQ(RenderPercent(84), "84.0"); }

TEST(ShortId, IsTwelveDigits) { EXPECT_EQ(ShortId(std::string(64, 'a')), std::string(12, 'a')); }

TEST(Nearest, IsWithinTwoEdits) {
  const std::vector<std::string> words = {"commit", "log", "show"};
  EXPECT_EQ(NearestWord("comit", words), "commit");
  EXPECT_EQ(NearestWord("commti", words), "commit");
  EXPECT_EQ(NearestWord("lgo", words), "log");
  EXPECT_EQ(NearestWord("elephant", words), "");
  EXPECT_EQ(NearestWord("", words), "");
}

TEST(Text, OthersWordsDoNotCommandTheTerminal) {
  EXPECT_EQ(Plain("Zürich – two\nlines"), "Zürich – two\nlines");
  EXPECT_EQ(Plain("a\x1b[2Jb\rc\x7f"), "a?[2Jb?c?");
  EXPECT_EQ(Plain("a\u009b2Jb"), "a?2Jb");
  EXPECT_EQ(Plain("to \u202enoyL\u2069 \u200f"), "to ?noyL? ?");
}

}  // namespace
}  // namespace emend::api::cli::text_test
