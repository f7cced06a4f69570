#include "storage/json/reader.h"

#include <gtest/gtest.h>

#include "tests/support/status_matchers.h"

namespace emend::storage::json::reader_test {
namespace {

using test::IsOk;
using test::StatusIs;
using testing::HasSubstr;

std::string Refusal(std::string_view text, const std::function<void(Reader&)>& read) {
  Result<Document> document = Document::Parse(text);
  if (!document.ok()) return document.status().message();
  Reader reader = document->Root();
  read(reader);
  reader.RefuseUnknown();
  return document->status().message();
}

TEST(JsonReader, FieldsOfEveryKindAreRead) {
  ASSERT_OK_AND_ASSIGN(Document document, Document::Parse(R"({"text": "a", "count": 4.0,
      "share": 0.5, "flag": true, "texts": ["x", "y"], "layers": [0, 3.0],
      "settings": {"n": 20, "m": 4.0, "v_lr": 0.50, "name": "z"}, "groups": [["{}"], ["a", "b"]],
      "rows": [{"k": 1}, {"k": 2}], "below": -3})"));
  Reader reader = document.Root();
  std::string text;
  std::uint64_t count = 0;
  std::int64_t below = 0;
  double share = 0;
  bool flag = false;
  std::vector<std::string> texts;
  std::vector<std::int32_t> layers;
  std::vector<std::pair<std::string, std::string>> settings;
  std::vector<std::vector<std::string>> groups;
  std::vector<std::uint64_t> rows;
  EXPECT_TRUE(reader.Require("text", text) && reader.Unsigned("count", count));
  EXPECT_TRUE(reader.Number("share", share, 0, 1) && reader.Flag("flag", flag));
  EXPECT_TRUE(reader.Texts("texts", texts) && reader.Indices("layers", layers));
  EXPECT_TRUE(reader.TextMap("settings", settings) && reader.TextGroups("groups", groups));
  EXPECT_TRUE(reader.Whole("below", below, -5, 5));
  EXPECT_TRUE(reader.List("rows", 2, [&](Reader row) { row.Unsigned("k", rows.emplace_back()); }));
  EXPECT_FALSE(reader.Text("absent", text));
  reader.RefuseUnknown();
  EXPECT_THAT(document.status(), IsOk());
  EXPECT_EQ(text, "a");
  EXPECT_EQ(count, 4U);
  EXPECT_EQ(below, -3);
  EXPECT_EQ(share, 0.5);
  EXPECT_TRUE(flag);
  EXPECT_EQ(texts, (std::vector<std::string>{"x", "y"}));
  EXPECT_EQ(layers, (std::vector<std::int32_t>{0, 3}));
  EXPECT_EQ(settings, (std::vector<std::pair<std::string, std::string>>{
                          {"m", "4"}, {"n", "20"}, {"name", "z"}, {"v_lr", "0.50"}}));
  EXPECT_EQ(groups, (std::vector<std::vector<std::string>>{{"{}"}, {"a", "b"}}));
  EXPECT_EQ(rows, (std::vector<std::uint64_t>{1, 2}));
}

TEST(JsonReader, AProblemNamesItsPointerWhatWasExpectedAndWhatWasFound) {
  std::string text;
  std::uint64_t count = 0;
  const auto read_text = [&](Reader& reader) { reader.Require("a", text); };
  const auto read_count = [&](Reader& reader) { reader.Unsigned("a", count); };
  EXPECT_EQ(Refusal("{}", read_text), "at /a: this field is missing");
  EXPECT_EQ(Refusal(R"({"a": [1]})", read_text), "at /a: expected a string, found array");
  EXPECT_EQ(Refusal(R"({"a": null})", read_text), "at /a: expected a string, found null");
  EXPECT_EQ(Refusal(R"({"a": "\u0000"})", read_text),
            "at /a: found a control character, only newline and tab are allowed");
  EXPECT_EQ(Refusal(R"({"a": ""})", read_text),
            "at /a: expected a string that is not empty, found \"\"");
  EXPECT_EQ(Refusal(R"({"a": -1})", read_count),
            "at /a: expected a whole number from 0 on, found -1");
  EXPECT_EQ(Refusal(R"({"a": 1.5})", read_count),
            "at /a: expected a whole number from 0 on, found 1.5");
  EXPECT_EQ(Refusal(R"({"a": "7"})", read_count),
            "at /a: expected a whole number from 0 on, found \"7\"");
  EXPECT_EQ(Refusal(R"({"a": 1, "b": 2})", read_count),
            "at /b: this field is unknown here; known are a");
  EXPECT_EQ(
      Refusal(R"({"rows": [{"k": 1}, 3]})",
              [](Reader& reader) { reader.List("rows", 9, [](Reader row) { row.Find("k"); }); }),
      "at /rows/1: expected an object, found 3");
}

TEST(JsonReader, AllProblemsAreKeptAndTheFirstIsTheStatus) {
  ASSERT_OK_AND_ASSIGN(Document document, Document::Parse(R"({"a": 1, "b": 2})"));
  Reader reader = document.Root();
  std::string text;
  EXPECT_FALSE(reader.Text("b", text) || reader.Text("a", text));
  ASSERT_EQ(document.problems().size(), 2U);
  EXPECT_EQ(document.problems()[1].pointer, "/a");
  EXPECT_EQ(document.status().message(), "at /b: expected a string, found 2");
}

TEST(JsonReader, AMessageShowsTheFirstHundredBytesOfAValue) {
  const std::string large(900'000, 'x');
  std::uint64_t count = 0;
  const std::string refusal =
      Refusal("{\"a\": \"" + large + "\"}", [&](Reader& reader) { reader.Unsigned("a", count); });
  EXPECT_THAT(refusal, HasSubstr(std::string(100, 'x') + "..."));
  EXPECT_LT(refusal.size(), 200U);
  EXPECT_LT(Refusal("{\"" + large + "\": 1}", [](Reader&) {}).size(), 200U);
}

}  // namespace
}  // namespace emend::storage::json::reader_test
