#include "api/cli/corpus.h"

#include <gtest/gtest.h>

#include "storage/json/reader.h"
#include "tests/support/status_matchers.h"

namespace emend::api::cli::corpus_test {
namespace {

using test::StatusIs;
using testing::HasSubstr;

const std::string k80(80, 'a');
const std::string k81(81, 'b');

std::vector<std::string> Lines(std::string_view text,
                               std::optional<std::uint64_t> count_max = std::nullopt) {
  const Result<Corpus> corpus = ReadCorpus(text, "f", count_max);
  return corpus.ok() ? corpus->lines : std::vector<std::string>();
}

TEST(Corpus, TakesLinesLongerThanEightyCharacters) {
  EXPECT_EQ(Lines(k80 + "\n" + k81 + "\nshort\n" + k81), (std::vector<std::string>{k81, k81}));
}

TEST(Corpus, CountsCharactersAndNotBytes) {
  std::string umlauts;
  for (int i = 0; i < 80; ++i) umlauts += "ä";
  EXPECT_TRUE(Lines(umlauts).empty());
  EXPECT_EQ(Lines(umlauts + "ä").size(), 1U);
}

TEST(Corpus, StripsWhiteSpaceBeforeItCounts) {
  EXPECT_TRUE(Lines("     " + k80 + "   \r\n").empty());
  EXPECT_EQ(Lines("  " + k81 + " \r\n"), (std::vector<std::string>{k81}));
}

TEST(Corpus, LeavesOutMarkup) { EXPECT_TRUE(Lines("<doc " + k81).empty()); }

TEST(Corpus, StopsAtTheCount) {
  EXPECT_EQ(Lines(k81 + "\n" + k81 + "\n" + k81, 2).size(), 2U);
  EXPECT_TRUE(Lines("").empty());
}

TEST(Corpus, CountsWhatItPassesOver) {
  ASSERT_OK_AND_ASSIGN(const Corpus corpus,
                       ReadCorpus("short\n\n<doc>\n" + k81 + "\nshort\n", "f", std::nullopt));
  EXPECT_EQ(corpus.lines.size(), 1U);
  EXPECT_EQ(corpus.too_short, 2U);
  EXPECT_EQ(corpus.markup, 1U);
  const Status none = ReadCorpus("short\n<doc>\n", "f", std::nullopt).status();
  EXPECT_THAT(none, StatusIs(StatusCode::kInvalidArgument, "no_lines"));
  EXPECT_THAT(none.message(), HasSubstr("1 are shorter, 1 start with it"));
}

TEST(Corpus, JsonIsReadByItsText) {
  const std::string row = R"({"id": 1, "text": "short\n)" + k81 + "\"}";
  EXPECT_EQ(Lines(row + "\n" + row + "\n"), (std::vector<std::string>{k81, k81}));
  EXPECT_EQ(Lines("[" + row + ", " + row + "]").size(), 2U);
  EXPECT_EQ(Lines(row + "\n" + row + "\n", 1).size(), 1U);
  const Status other = ReadCorpus(row + "\n{\"content\": \"x\"}\n", "f", std::nullopt).status();
  EXPECT_THAT(other, StatusIs(StatusCode::kInvalidArgument, "bad_corpus"));
  EXPECT_THAT(other.message(), HasSubstr("row 2: \"text\": expected a string, found nothing"));
}

TEST(Corpus, WhatIsNoTextIsRefusedWithLineAndByte) {
  const auto refusal = [](std::string_view bytes) {
    const Status status = ReadCorpus(bytes, "f", std::nullopt).status();
    EXPECT_THAT(status, StatusIs(StatusCode::kInvalidArgument, "bad_corpus"));
    return status.message();
  };
  EXPECT_THAT(refusal(k81 + "\nZ\xfcrich"), HasSubstr("not UTF-8 at byte 83, line 2"));
  EXPECT_THAT(refusal(std::string("\x1f\x8b\x08\0\x01", 5)), HasSubstr("gzip (byte 0, line 1)"));
  EXPECT_THAT(refusal(k81 + "\na" + std::string(1, '\0') + "b"),
              HasSubstr("NUL at byte 83, line 2"));
  EXPECT_THAT(refusal("a\n" + k81 + "\x1b[1m" + k81),
              HasSubstr("control character 27 in line 2, byte 81"));
}

TEST(Corpus, ALineLongerThanARequestTakesBecomesSeveral) {
  std::string words;
  while (words.size() < 3 * storage::json::kTextBytesMax) words += "word ";
  const std::vector<std::string> lines = Lines(words);
  ASSERT_EQ(lines.size(), 4U);
  for (const std::string& line : lines) {
    EXPECT_LE(line.size(), storage::json::kTextBytesMax);
    EXPECT_TRUE(line.starts_with("word") && line.ends_with("word"));
  }
}

}  // namespace
}  // namespace emend::api::cli::corpus_test
