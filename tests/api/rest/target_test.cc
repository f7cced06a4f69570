#include "api/rest/target.h"

#include <gtest/gtest.h>

#include "tests/support/status_matchers.h"

namespace emend::api::rest::target_test {
namespace {

using test::StatusIs;

TEST(Target, SplitsBeforeItDecodes) {
  ASSERT_OK_AND_ASSIGN(
      const Target target,
      ParseTarget("/api/v1/repos/atlas/commits/team%2Ffrench~1%5E%40%7B2%7D?limit=10&after=a%26b"));
  EXPECT_EQ(target.segments, (std::vector<std::string>{"api", "v1", "repos", "atlas", "commits",
                                                       "team/french~1^@{2}"}));
  EXPECT_EQ(target.query.at("limit"), "10");
  EXPECT_EQ(target.query.at("after"), "a&b");
}

TEST(Target, PlusIsAPlus) {
  ASSERT_OK_AND_ASSIGN(const Target target, ParseTarget("/a?b=c+d"));
  EXPECT_EQ(target.query.at("b"), "c+d");
}

TEST(Target, UnicodeIsFine) {
  ASSERT_OK_AND_ASSIGN(const Target target, ParseTarget("/%C3%A9"));
  EXPECT_EQ(target.segments[0], "é");
}

TEST(Target, RefusesWhatTwoReadersCouldReadDifferently) {
  for (const char* text :
       {"",        "x",          "*",      "http://host/x", "/a#b",        "/%",
        "/%2",     "/%zz",       "/a%00b", "/a%0d%0ab",     "/%7f",        "/%ff",
        "/%c0%af", "/%ed%a0%80", "/..",    "/a/../b",       "/a/%2e%2e/b", "/./a",
        "/%2E",    "/a?x=1&x=2", "/a?%=1", "/a?x=%0a"}) {
    EXPECT_THAT(ParseTarget(text), StatusIs(StatusCode::kInvalidArgument, "malformed_request"))
        << text;
  }
}

}  // namespace
}  // namespace emend::api::rest::target_test
