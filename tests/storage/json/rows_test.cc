#include "storage/json/rows.h"

#include <gtest/gtest.h>

#include "tests/storage/json/dump.h"
#include "tests/support/status_matchers.h"

namespace emend::storage::json::rows_test {
namespace {

using test::IsOk;
using test::StatusIs;
using testing::ElementsAre;
using testing::HasSubstr;

// Each row as JSON, or what is wrong with it.
struct Rows {
  std::vector<std::string> rows;
  RowSink sink{
      .rows_max = 4, .take = [this](std::size_t row, Result<Document> record) {
        rows.push_back(std::to_string(row) + " " +
                       (record.ok() ? test::Dump(record->root()) : record.status().message()));
      }};
};

TEST(JsonRows, AListIsHandedOverElementByElement) {
  Rows rows;
  ASSERT_OK_AND_ASSIGN(const std::size_t count,
                       ReadList(R"([{"b": 1, "a": [2]}, 3, []])", rows.sink));
  EXPECT_EQ(count, 3U);
  EXPECT_THAT(rows.rows, ElementsAre(R"(1 {"a":[2],"b":1})", "2 3", "3 []"));
}

TEST(JsonRows, AKeyThatComesTwiceIsAFaultOfItsRowAlone) {
  Rows rows;
  ASSERT_THAT(ReadList(R"([{"a": {"k": 1, "k": 2}}, {"a": 3}])", rows.sink), IsOk());
  ASSERT_EQ(rows.rows.size(), 2U);
  EXPECT_THAT(rows.rows[0], HasSubstr("1 at /a: the key \"k\" comes twice"));
  EXPECT_EQ(rows.rows[1], R"(2 {"a":3})");
}

TEST(JsonRows, AListThatBreaksNamesTheRow) {
  Rows rows;
  const Status broken = ReadList("[{\"a\": 1},\n {\"a\": NaN}]", rows.sink).status();
  EXPECT_THAT(broken, StatusIs(StatusCode::kInvalidArgument, "malformed_json"));
  EXPECT_THAT(broken.message(), HasSubstr("row 2 is no JSON: line 2, column 8: at /a: found NaN"));
  EXPECT_THAT(ReadList("{\"a\": 1}", rows.sink), StatusIs(StatusCode::kInvalidArgument));
  EXPECT_THAT(ReadList("[" + std::string(1'000'000, '['), rows.sink),
              StatusIs(StatusCode::kInvalidArgument));
}

TEST(JsonRows, ALineThatIsNoJsonIsAFaultOfItsRowAlone) {
  Rows rows;
  ASSERT_OK_AND_ASSIGN(const std::size_t count,
                       ReadLines("{\"a\": 1}\r\n\n{\"a\": nan}\n  {\"b\": 2}", rows.sink));
  EXPECT_EQ(count, 3U);
  ASSERT_EQ(rows.rows.size(), 3U);
  EXPECT_EQ(rows.rows[0], R"(1 {"a":1})");
  EXPECT_THAT(rows.rows[1], HasSubstr("2 is no JSON: byte 7 of the line: at /a: found nan"));
  EXPECT_EQ(rows.rows[2], R"(3 {"b":2})");
}

TEST(JsonRows, MoreRowsThanTheBoundAreRefused) {
  Rows rows;
  EXPECT_THAT(ReadList("[1, 2, 3, 4, 5]", rows.sink), StatusIs(StatusCode::kResourceExhausted));
  EXPECT_THAT(ReadLines("1\n2\n3\n4\n5", rows.sink), StatusIs(StatusCode::kResourceExhausted));
}

}  // namespace
}  // namespace emend::storage::json::rows_test
