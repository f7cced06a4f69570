#include "api/rest/strict_json.h"

#include <gtest/gtest.h>

#include "tests/support/status_matchers.h"

namespace emend::api::rest {
namespace {

using test::IsOk;
using test::StatusIs;

TEST(StrictJson, TakesObjects) {
  ASSERT_OK_AND_ASSIGN(const auto json,
                       ParseJsonObject(R"({"a": [1, 2.5, "x", null, true], "b": {"a": 1}})"));
  EXPECT_EQ(json["a"][2], "x");
}

TEST(StrictJson, SameKeyInDifferentObjectsIsFine) {
  EXPECT_THAT(CheckJsonObject(R"({"a": {"k": 1}, "b": {"k": 2}})"), IsOk());
}

TEST(StrictJson, RefusesWhatItShould) {
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
                                                          "{\"a\":Infinity}",
                                                          "{\"a\":1e999}",
                                                          "{\"a\":1,\"a\":2}",
                                                          "{\"o\":{\"k\":1,\"k\":1}}",
                                                          "{\"a\":\"\xff\"}",
                                                          "{\"a\":\"\\ud800\"}",
                                                          "{\"a\":\"\\u0000\"}",
                                                          "{\"a\":01}",
                                                          "{\"a\":tru}",
                                                          "{\"a\":\"line\nbreak\"}",
                                                          "\xef\xbb\xbf[]",
                                                          deep,
                                                          bottomless}) {
    EXPECT_THAT(CheckJsonObject(text), StatusIs(StatusCode::kInvalidArgument, "malformed_json"))
        << text.substr(0, 60);
  }
}

TEST(StrictJson, TakesThirtyTwoLevels) {
  EXPECT_THAT(CheckJsonObject("{\"a\":" + std::string(31, '[') + std::string(31, ']') + "}"),
              IsOk());
}

TEST(StrictJson, NamesTheDoubledKey) {
  EXPECT_NE(CheckJsonObject(R"({"branch":1,"branch":2})").message().find("\"branch\""),
            std::string::npos);
}

}  // namespace
}  // namespace emend::api::rest
