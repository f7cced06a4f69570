#include "api/rest/route.h"

#include <gtest/gtest.h>

#include <set>

namespace emend::api::rest::route_test {
namespace {

using Words = std::vector<std::string>;

std::string Operation(Method method, const Words& segments) {
  const RouteMatch match = FindRoute(Routes(), method, segments);
  return match.route == nullptr ? "" : std::string(match.route->operation_id);
}

TEST(Route, NamesMayHoldSlashes) {
  const RouteMatch match = FindRoute(Routes(), Method::kGet,
                                     {"api", "v1", "repos", "atlas", "branches", "team", "french"});
  ASSERT_NE(match.route, nullptr);
  EXPECT_EQ(match.route->operation_id, "readBranch");
  EXPECT_EQ(match.place.at("name"), "team/french");
  EXPECT_EQ(match.place.at("repo"), "atlas");
}

TEST(Route, ReflogOfANameWithSlashes) {
  const RouteMatch match =
      FindRoute(Routes(), Method::kGet,
                {"api", "v1", "repos", "atlas", "branches", "team", "french", "reflog"});
  EXPECT_EQ(match.route->operation_id, "readReflog");
  EXPECT_EQ(match.place.at("name"), "team/french");
}

TEST(Route, ABranchCalledReflogIsReachedByItsEncodedName) {
  EXPECT_EQ(Operation(Method::kGet, {"api", "v1", "repos", "atlas", "branches", "x/reflog"}),
            "readBranch");
  EXPECT_EQ(Operation(Method::kGet, {"api", "v1", "repos", "atlas", "branches", "reflog"}),
            "readBranch");
}

TEST(Route, EmptySegmentsNameNothing) {
  EXPECT_EQ(Operation(Method::kGet, {"api", "v1", "repos", ""}), "");
  EXPECT_EQ(Operation(Method::kGet, {"api", "v1", "repos", "atlas", "branches", ""}), "");
  EXPECT_TRUE(FindRoute(Routes(), Method::kGet, {}).allowed.empty());
}

TEST(Route, WrongMethodKnowsThoseThatAre) {
  const RouteMatch match = FindRoute(Routes(), Method::kDelete, {"api", "v1", "repos"});
  EXPECT_EQ(match.route, nullptr);
  EXPECT_EQ(match.allowed, (std::vector<Method>{Method::kGet, Method::kPost}));
}

TEST(Route, TableHasNoDoubles) {
  std::set<std::string> ids;
  std::set<std::string> places;
  for (const Route& route : Routes()) {
    EXPECT_TRUE(ids.insert(std::string(route.operation_id)).second) << route.operation_id;
    EXPECT_TRUE(
        places.insert(std::string(MethodName(route.method)) + std::string(route.pattern)).second)
        << route.pattern;
  }
}

TEST(Route, OnlyHealthAndDescriptionArePublic) {
  for (const Route& route : Routes()) {
    const bool is_public = route.scope.value() == Scope::kPublic;
    EXPECT_EQ(is_public, !route.pattern.starts_with("/api/") && !route.pattern.starts_with("/v1/"))
        << route.operation_id;
  }
}

}  // namespace
}  // namespace emend::api::rest::route_test
