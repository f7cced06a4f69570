#include "storage/history/repository.h"
#include "tests/support/status_matchers.h"

namespace emend::storage::history::names_test {
namespace {

using emend::test::IsOk;
using emend::test::StatusIs;

TEST(RepoNames, FollowTheirPattern) {
  for (const std::string& name :
       std::vector<std::string>{"atlas", "0", "a.b_c-d", std::string(64, 'a')})
    EXPECT_THAT(CheckRepoName(name), IsOk()) << name;
  for (const std::string& name : std::vector<std::string>{
           "", "-atlas", ".atlas", "Atlas", "a/b", "a b", "atl\xc3\xa4s", std::string(65, 'a')}) {
    EXPECT_THAT(CheckRepoName(name), StatusIs(StatusCode::kInvalidArgument)) << name;
  }
}

TEST(RefNames, OfGitAreTaken) {
  for (const std::string name : {"main", "a/b/c", "release-1.2", "feature/x@y", "@foo", "v1.0",
                                 "a.lock.b", "beef", "UPPER", "a{b}", "a'b\"c$&!"}) {
    EXPECT_THAT(CheckRefName(name), IsOk()) << name;
  }
  EXPECT_THAT(CheckRefName(std::string(128, 'x')), IsOk());
  EXPECT_THAT(CheckRefName(std::string(39, 'a')), IsOk());
}

TEST(RefNames, ThatGitRefusesAreRefused) {
  const std::vector<std::string> refused = {"",
                                            "@",
                                            "HEAD",
                                            ".a",
                                            "a/.b",
                                            "a.lock",
                                            "a.lock/b",
                                            "a..b",
                                            "a b",
                                            "a~b",
                                            "a^b",
                                            "a:b",
                                            "a?b",
                                            "a*b",
                                            "a[b",
                                            "a\\b",
                                            "/a",
                                            "a/",
                                            "a//b",
                                            "a.",
                                            "a@{b",
                                            "-a",
                                            "a\tb",
                                            "a\x7f",
                                            "a\nb",
                                            "\xc3\xa9",
                                            "refs/heads/a",
                                            std::string(129, 'x'),
                                            std::string("a\0b", 3)};
  for (const std::string& name : refused)
    EXPECT_THAT(CheckRefName(name), StatusIs(StatusCode::kInvalidArgument)) << name;
}

TEST(RefNames, ThatLookLikeACommitAreRefused) {
  EXPECT_THAT(CheckRefName(std::string(40, 'a')), StatusIs(StatusCode::kInvalidArgument));
  EXPECT_THAT(CheckRefName(std::string(64, '0')), StatusIs(StatusCode::kInvalidArgument));
  EXPECT_THAT(CheckRefName(std::string(40, 'F')), StatusIs(StatusCode::kInvalidArgument));
}

}  // namespace
}  // namespace emend::storage::history::names_test
