#include "api/cli/revision.h"

#include <gtest/gtest.h>

#include "tests/support/status_matchers.h"

namespace emend::api::cli::revision_test {
namespace {

TEST(RepoRevision, SplitsAtTheFirstAt) {
  const std::tuple<const char*, const char*, const char*> cases[] = {
      {"atlas", "atlas", "main"},
      {"atlas@v1", "atlas", "v1"},
      {"atlas@main~2^", "atlas", "main~2^"},
      {"atlas@main@{1}", "atlas", "main@{1}"},
      {"atlas@{1}", "atlas", "main@{1}"},
      {"atlas@team/french", "atlas", "team/french"}};
  for (const auto& [text, repo, revision] : cases) {
    ASSERT_OK_AND_ASSIGN(const RepoRevision parsed, ParseRepoRevision(text));
    EXPECT_EQ(parsed.repo, repo) << text;
    EXPECT_EQ(parsed.revision, revision) << text;
  }
}

TEST(RepoRevision, RefusesHalves) {
  for (const char* text : {"", "@", "@main", "atlas@"})
    EXPECT_THAT(ParseRepoRevision(text), test::StatusIs(StatusCode::kInvalidArgument)) << text;
}

}  // namespace
}  // namespace emend::api::cli::revision_test
