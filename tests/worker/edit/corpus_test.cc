#include "tests/worker/edit/corpus.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace emend::worker::edit::corpus_test {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::SizeIs;

const std::string kLong(81, 'x');
const std::string kShort(80, 'x');

TEST(CorpusTest, LinesOfEightyCharactersAreTooShort) {
  EXPECT_THAT(SelectCorpusLines(kShort + "\n" + kLong + "\n", 0), ElementsAre(kLong));
}

TEST(CorpusTest, WhiteSpaceAtBothEndsIsTakenOffBeforeCounting) {
  EXPECT_THAT(SelectCorpusLines("  \t" + kLong + " \xC2\xA0\n   " + kShort + "   \n", 0),
              ElementsAre(kLong));
}

TEST(CorpusTest, CharactersAreCountedNotBytes) {
  std::string accented;
  for (int i = 0; i < 80; ++i) accented += "\xC3\xA9";
  EXPECT_THAT(SelectCorpusLines(accented, 0), IsEmpty());
  EXPECT_THAT(SelectCorpusLines(accented + "e", 0), SizeIs(1));
}

TEST(CorpusTest, LinesThatStartWithAnAngleBracketAreLeftOut) {
  EXPECT_THAT(SelectCorpusLines("<" + kLong + "\n <" + kLong, 0), ElementsAre("<" + kLong));
}

TEST(CorpusTest, EveryLineEndOfATextFileCounts) {
  EXPECT_THAT(SelectCorpusLines(kLong + "\r\n" + kLong + "\r" + kLong, 0), SizeIs(3));
}

TEST(CorpusTest, NoMoreLinesThanAskedForAreTaken) {
  EXPECT_THAT(SelectCorpusLines(kLong + "\n" + kLong + "\n" + kLong, 2), SizeIs(2));
}

TEST(CorpusTest, AnEmptyTextHasNoLines) { EXPECT_THAT(SelectCorpusLines("", 0), IsEmpty()); }

}  // namespace
}  // namespace emend::worker::edit::corpus_test
