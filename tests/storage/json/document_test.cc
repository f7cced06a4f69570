#include "storage/json/document.h"

#include <gtest/gtest.h>

#include "tests/storage/json/dump.h"
#include "tests/support/status_matchers.h"

namespace emend::storage::json::document_test {
namespace {

using test::IsOk;
using test::StatusIs;
using testing::HasSubstr;

std::string Refusal(std::string_view text) { return Document::Parse(text).status().message(); }

TEST(JsonDocument, AValueSaysWhatItIs) {
  ASSERT_OK_AND_ASSIGN(const Document document, Document::Parse(R"({
      "b": [1, 2.50, "x", null, true], "a": {"k": -7},
      "whole": [4.0, 1e3, 4.5, 18446744073709551615]})"));
  const Value root = document.root();
  EXPECT_EQ(root.size(), 3U);
  EXPECT_EQ(root.Members().front().name, "a");
  const Value list = root.Find("b");
  EXPECT_EQ(list[0].Whole(), 1);
  EXPECT_EQ(list[1].digits(), "2.50");
  EXPECT_EQ(list[2].text(), "x");
  EXPECT_TRUE(list[3].IsNothing());
  EXPECT_TRUE(list[4].flag());
  EXPECT_EQ(root.Find("a").Find("k").Whole(), -7);
  EXPECT_EQ(root.Find("a").Find("k").Unsigned(), std::nullopt);
  EXPECT_TRUE(root.Find("c").is(Kind::kAbsent));
  EXPECT_TRUE(root.Find("c").Find("d").is(Kind::kAbsent));
  const Value whole = root.Find("whole");
  EXPECT_EQ(whole[0].Whole(), 4);
  EXPECT_EQ(whole[1].Unsigned(), 1000U);
  EXPECT_EQ(whole[2].Whole(), std::nullopt);
  EXPECT_EQ(whole[3].Whole(), std::nullopt);
  EXPECT_EQ(whole[3].Unsigned(), 18446744073709551615U);
  EXPECT_EQ(test::Dump(root), R"({"a":{"k":-7},"b":[1,2.50,"x",null,true],)"
                              R"("whole":[4.0,1e3,4.5,18446744073709551615]})");
}

TEST(JsonDocument, RefusesWhatIsNoStrictJson) {
  const std::string deep = "{\"a\":" + std::string(32, '[') + std::string(32, ']') + "}";
  const std::string bottomless = "{\"a\":" + std::string(1'000'000, '[');
  for (const std::string& text : std::vector<std::string>{"",
                                                          "   ",
                                                          "{",
                                                          "[]",
                                                          "1",
                                                          "\"x\"",
                                                          "null",
                                                          "{\"a\":1}x",
                                                          "{\"a\":1,}",
                                                          "{a:1}",
                                                          "{'a':1}",
                                                          "{\"a\":NaN}",
                                                          "{\"a\":-Infinity}",
                                                          "{\"a\":1e999}",
                                                          "{\"a\":1,\"a\":2}",
                                                          "{\"o\":{\"k\":1,\"k\":1}}",
                                                          "{\"a\":\"\xff\"}",
                                                          "{\"a\":\"\\ud800\"}",
                                                          "{\"a\":01}",
                                                          "{\"a\":tru}",
                                                          "{\"a\":\"line\nbreak\"}",
                                                          "\xef\xbb\xbf[]",
                                                          deep,
                                                          bottomless}) {
    EXPECT_THAT(Document::Parse(text), StatusIs(StatusCode::kInvalidArgument, "malformed_json"))
        << text.substr(0, 60);
  }
  EXPECT_THAT(Document::Parse("{\"a\":" + std::string(31, '[') + std::string(31, ']') + "}"),
              IsOk());
  EXPECT_THAT(Document::Parse(R"({"a": {"k": 1}, "b": {"k": 2}})"), IsOk());
}

TEST(JsonDocument, AFaultIsNamedWithItsPlace) {
  EXPECT_THAT(Refusal(R"({"branch":1,"branch":2})"), HasSubstr("the key \"branch\" comes twice"));
  EXPECT_THAT(Refusal(R"({"facts": [{"a": 1}, {"b": 1, "b": 2}]})"), HasSubstr("at /facts/1: "));
  EXPECT_THAT(Refusal("{\"facts\": [\n {\"old\": NaN}]}"),
              HasSubstr("line 2, column 10: at /facts/0/old: found NaN"));
  EXPECT_THAT(Refusal("{\"x\": -Infinity}"), HasSubstr("found Infinity"));
  EXPECT_THAT(Refusal("{\"x\": None}"), HasSubstr("found None"));
  EXPECT_THAT(Refusal("{\n\"x\": \"\xff\"}"), HasSubstr("line 2, column 7"));
  EXPECT_THAT(Refusal("[1]"), HasSubstr("expected an object, found array"));
}

TEST(JsonDocument, AMessageRepeatsLittleOfWhatWasSent) {
  const std::string large(900'000, 'x');
  EXPECT_LT(Refusal("{\"a\": \"" + large).size(), 400U);
  EXPECT_LT(Refusal("{\"" + large + "\": 1, \"" + large + "\": 2}").size(), 400U);
  EXPECT_LT(Refusal("\"" + large + "\"").size(), 400U);
  EXPECT_LT(Refusal("{\"" + large + "\": {\"a\": nope}}").size(), 400U);
}

}  // namespace
}  // namespace emend::storage::json::document_test
