#include "api/cli/corpus.h"

#include <gtest/gtest.h>

namespace emend::api::cli {
namespace {

const std::string k80(80, 'a');
const std::string k81(81, 'b');

TEST(Corpus, TakesLinesLongerThanEightyCharacters) {
  EXPECT_EQ(SelectCorpusLines(k80 + "\n" + k81 + "\nshort\n" + k81, std::nullopt),
            (std::vector<std::string>{k81, k81}));
}

TEST(Corpus, CountsCharactersAndNotBytes) {
  std::string umlauts;
  for (int i = 0; i < 80; ++i) umlauts += "ä";
  EXPECT_TRUE(SelectCorpusLines(umlauts, std::nullopt).empty());
  EXPECT_EQ(SelectCorpusLines(umlauts + "ä", std::nullopt).size(), 1U);
}

TEST(Corpus, StripsWhiteSpaceBeforeItCounts) {
  EXPECT_TRUE(SelectCorpusLines("     " + k80 + "   \r\n", std::nullopt).empty());
  EXPECT_EQ(SelectCorpusLines("  " + k81 + " \r\n", std::nullopt), (std::vector<std::string>{k81}));
}

TEST(Corpus, LeavesOutMarkup) {
  EXPECT_TRUE(SelectCorpusLines("<doc " + k81, std::nullopt).empty());
}

TEST(Corpus, StopsAtTheCount) {
  EXPECT_EQ(SelectCorpusLines(k81 + "\n" + k81 + "\n" + k81, 2).size(), 2U);
  EXPECT_TRUE(SelectCorpusLines("", std::nullopt).empty());
}

}  // namespace
}  // namespace emend::api::cli
