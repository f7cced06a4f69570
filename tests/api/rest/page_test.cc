#include "api/rest/page.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "api/rest/route.h"

namespace emend::api::rest::page_test {
namespace {

using Names = std::vector<std::string>;

Request Asked(const std::string& limit, const std::string& after = "") {
  Request request;
  request.values["limit"] = limit;
  if (!after.empty()) request.values["after"] = after;
  return request;
}

Page<std::string> Ask(const Request& request, const Names& names) {
  return PageAfter(request, names, [](const std::string& name) { return name; });
}

TEST(Page, PagesFollowEachOtherByKey) {
  const Names names = {"c", "a", "d", "b"};
  Page<std::string> page = Ask(Asked("3"), names);
  EXPECT_EQ(page.items, (Names{"a", "b", "c"}));
  EXPECT_EQ(page.next, "c");
  page = Ask(Asked("3", "c"), names);
  EXPECT_EQ(page.items, Names{"d"});
  EXPECT_EQ(page.next, nullptr);
  EXPECT_EQ(Ask(Asked("4"), names).next, nullptr) << "a page that holds the last has no next";
}

TEST(Page, ACursorOutlivesItsItem) {
  EXPECT_EQ(Ask(Asked("9", "b"), {"a", "c", "bb"}).items, (Names{"bb", "c"}));
  EXPECT_EQ(Ask(Asked("9", "z"), {"a", "c"}).items, Names{});
}

TEST(Page, AListMayBeginWithItsGreatestKey) {
  const auto key = [](const std::string& name) { return name; };
  const auto page = PageAfter(Asked("1", "c"), Names{"a", "b", "c", "d"}, key, std::greater<>());
  EXPECT_EQ(page.items, Names{"b"});
  EXPECT_EQ(page.next, "b");
}

TEST(Page, EveryListOfItemsTakesLimitAndAfter) {
  for (const Route& route : Routes()) {
    if (!route.answer.schema.ends_with("Page")) continue;
    std::set<std::string_view> names;
    for (const Parameter& parameter : route.parameters) names.insert(parameter.name);
    EXPECT_TRUE(names.contains("limit") && names.contains("after")) << route.operation_id;
  }
}

}  // namespace
}  // namespace emend::api::rest::page_test
