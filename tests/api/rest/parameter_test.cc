#include "api/rest/parameter.h"

#include <gtest/gtest.h>

#include "storage/history/repository.h"
#include "tests/support/status_matchers.h"

namespace emend::api::rest::parameter_test {
namespace {

constexpr std::string_view kColours[] = {"red", "green"};
constexpr Parameter kColour{"colour", In::kQuery, Choice{kColours, "green"}};
constexpr Parameter kCount{"count", In::kQuery, WholeNumber{1, 20, 7}};
constexpr Parameter kNeeded{"needed", In::kQuery, Text{4, "^[a-z]+$", "letters"}, "", true};
constexpr Parameter kField{"X-Field", In::kHeader, Text{4, "^[a-z]+$", "letters"}};
const std::vector<Parameter> kAll = {kRepo, kColour, kCount, kNeeded, kField};

Result<Values> Read(const Values& query, const Values& header = {}) {
  return ReadParameters("paint", kAll, {{"repo", "atlas"}}, query, header);
}

std::string SlugOf(const Values& query, const Values& header = {}) {
  return std::string(Read(query, header).status().slug());
}

TEST(Parameters, AbsentOnesHaveTheirFallback) {
  const Result<Values> values = Read({{"needed", "ab"}});
  ASSERT_TRUE(values.ok()) << values.status().ToString();
  EXPECT_EQ(*values,
            (Values{{"repo", "atlas"}, {"colour", "green"}, {"count", "7"}, {"needed", "ab"}}));
}

TEST(Parameters, EachIsHeldToItsType) {
  EXPECT_EQ(SlugOf({{"needed", "ab"}, {"colour", "blue"}}), "bad_parameter");
  for (const char* count : {"0", "21", "-1", "", "x", "1e1", "4.5", "4.", ".0", "+4", " 4"})
    EXPECT_EQ(SlugOf({{"needed", "ab"}, {"count", count}}), "bad_parameter") << count;
  for (const char* text : {"", "abcde", "aB", "a\n"})
    EXPECT_EQ(SlugOf({{"needed", text}}), "bad_parameter") << text;
  EXPECT_EQ(SlugOf({{"needed", "ab"}}, {{"x-field", "A"}}), "malformed_request");
  EXPECT_EQ(SlugOf({}), "bad_parameter");
  EXPECT_EQ(SlugOf({{"needed", "ab"}, {"other", "x"}}), "unknown_parameter");
  EXPECT_EQ(SlugOf({{"needed", "ab"}, {"X-Field", "abc"}}), "unknown_parameter");
}

TEST(Parameters, AWholeFloatIsAWholeNumber) {
  EXPECT_EQ(ParseWhole("4.0"), 4);
  EXPECT_EQ(Read({{"needed", "ab"}, {"count", "4.00"}}).value().at("count"), "4.00");
}

TEST(Parameters, AMessageShowsTheBeginningOfALongText) {
  const Status status = Read({{"needed", std::string(5000, 'x')}}).status();
  EXPECT_LT(status.message().size(), 300U);
}

// The edge says beforehand what the store would refuse, and no more.
TEST(Parameters, NamesOfRefsAreThoseThatTheStoreTakes) {
  constexpr Parameter kName{"name", In::kPath, kRefName};
  const std::vector<Parameter> parameters = {kName};
  const std::vector<std::string> names = {"main",
                                          "team/french",
                                          "v1.0",
                                          "a..b",
                                          "a.",
                                          "a/",
                                          "/a",
                                          "a//b",
                                          "a/.b",
                                          ".a",
                                          "a.lock",
                                          "a.lock/b",
                                          "a.lockb",
                                          "-a",
                                          "a-",
                                          "@",
                                          "a@",
                                          "a@{",
                                          "HEAD",
                                          "HEADx",
                                          "refs/x",
                                          "refs",
                                          "a b",
                                          "a~",
                                          "a^",
                                          "a:",
                                          "a?",
                                          "a*",
                                          "a[",
                                          "a]",
                                          "a\\",
                                          "a{b}",
                                          "a|b",
                                          "a\"b",
                                          "a'b",
                                          "a,b",
                                          "a%b",
                                          "ä",
                                          "a\n",
                                          std::string(40, 'a'),
                                          std::string(39, 'a'),
                                          std::string(40, 'g'),
                                          std::string(128, 'x'),
                                          std::string(129, 'x')};
  for (const std::string& name : names) {
    const bool taken = ReadParameters("x", parameters, {{"name", name}}, {}, {}).ok();
    EXPECT_EQ(taken, storage::history::CheckRefName(name).ok()) << name;
  }
}

TEST(Parameters, RevisionsOfEveryFormAreTaken) {
  constexpr Parameter kRevision{"revision", In::kQuery, kRevisionText};
  const std::vector<Parameter> parameters = {kRevision};
  const auto fits = [&](const std::string& text) {
    return ReadParameters("x", parameters, {}, {{"revision", text}}, {}).ok();
  };
  for (const char* text : {"main", "main~", "main~2^^3~", "main@{1}", "main@{0}~1", "refs/heads/x",
                           "3f2a", "no such name", "französisch", "a@b"})
    EXPECT_TRUE(fits(text)) << text;
  for (const char* text : {"", "~1", "@{1}", "main@{}", "main@{x}", "main~x", "main^~x", ".", ".."})
    EXPECT_FALSE(fits(text)) << text;
}

}  // namespace
}  // namespace emend::api::rest::parameter_test
