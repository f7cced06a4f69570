#include "api/facts/csv.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace emend::api::facts::csv_test {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

using Rows = std::vector<std::vector<std::string>>;

Result<Rows> ReadAll(std::string_view text) {
  CsvReader reader(text);
  Rows rows;
  while (true) {
    EMEND_ASSIGN_OR_RETURN(auto cells, reader.Next());
    if (cells.empty()) return rows;
    rows.push_back(std::move(cells));
  }
}

TEST(CsvTest, CellsMayHoldCommasLineEndsAndQuotes) {
  EXPECT_THAT(*ReadAll("a,\"b,c\",\"d\r\ne\"\r\n\"say \"\"hi\"\"\",,\n"),
              ElementsAre(ElementsAre("a", "b,c", "d\r\ne"), ElementsAre("say \"hi\"", "", "")));
}

TEST(CsvTest, TheLastLineNeedsNoEnd) {
  EXPECT_THAT(*ReadAll("a,b"), ElementsAre(ElementsAre("a", "b")));
}

TEST(CsvTest, ACommaAtTheEndOpensAnEmptyCell) {
  EXPECT_THAT(*ReadAll("a,\n,"), ElementsAre(ElementsAre("a", ""), ElementsAre("", "")));
}

TEST(CsvTest, BlankLinesArePassedOver) {
  EXPECT_THAT(*ReadAll("\n\r\na\n\n\nb\n\n"), ElementsAre(ElementsAre("a"), ElementsAre("b")));
  EXPECT_THAT(*ReadAll(""), IsEmpty());
}

TEST(CsvTest, WrongQuotesAreRefusedWithTheirLine) {
  EXPECT_EQ(ReadAll("a\n\"b").status().slug(), "bad_fact_file");
  EXPECT_THAT(ReadAll("a\n\"b\nc").status().message(),
              HasSubstr("begins on line 2: the quote that opens a cell is never closed"));
  EXPECT_THAT(ReadAll("a\nb\"c\"").status().message(), HasSubstr("line 2"));
  EXPECT_THAT(ReadAll("\"a\"b").status().message(), HasSubstr("after the closing quote"));
}

TEST(CsvTest, ARecordKnowsTheLineItBeginsOn) {
  CsvReader reader("h\n\n\"a\nb\"\nc\n");
  ASSERT_TRUE(reader.Next().ok());
  ASSERT_TRUE(reader.Next().ok());
  EXPECT_EQ(reader.line(), 3u);
  ASSERT_TRUE(reader.Next().ok());
  EXPECT_EQ(reader.line(), 5u);
}

}  // namespace
}  // namespace emend::api::facts::csv_test
