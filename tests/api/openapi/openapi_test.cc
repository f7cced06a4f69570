// The description and the route table agree, both ways.
#include "api/openapi/openapi.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <set>

#include "api/rest/router.h"

namespace emend::api::openapi {
namespace {

using nlohmann::json;
using rest::Body;
using rest::Route;
using rest::Scope;

const json& Description() {
  static const json kDescription = json::parse(OpenApiJson());
  return kDescription;
}

// "{name...}" is "{name}" in the description.
std::string DescribedPath(const Route& route) {
  std::string path(route.pattern);
  for (std::size_t at = path.find("...}"); at != std::string::npos; at = path.find("...}"))
    path.erase(at, 3);
  return path;
}

std::string LowerMethod(const Route& route) {
  std::string method(MethodName(route.method));
  for (char& c : method) c = static_cast<char>(std::tolower(c));
  return method;
}

json Resolve(const json& value) {
  if (!value.contains("$ref")) return value;
  return Description().at(json::json_pointer(value["$ref"].get<std::string>().substr(1)));
}

// Names of the parameters at a place ("path", "query", "header"), of the path item and of the
// operation.
std::set<std::string> Parameters(const json& item, const json& operation,
                                 const std::string& place) {
  std::set<std::string> names;
  for (const json* owner : {&item, &operation}) {
    for (const json& parameter : owner->value("parameters", json::array())) {
      const json resolved = Resolve(parameter);
      if (resolved["in"] == place) names.insert(resolved["name"].get<std::string>());
    }
  }
  return names;
}

bool MovesARef(const Route& route) {
  return route.pattern.ends_with("{name...}") && route.method != rest::Method::kGet;
}

std::set<std::string> ExpectedStatuses(const Route& route) {
  std::set<std::string> statuses = {std::to_string(route.success), "default"};
  if (route.scope.value() != Scope::kPublic) statuses.insert({"400", "401", "403"});
  // The repo is in the path, or in the body.
  if (route.pattern.find('{') != std::string_view::npos || route.operation_id == "createCompletion")
    statuses.insert("404");
  if (route.body != Body::kNone) statuses.insert({"413", "415", "422"});
  if (MovesARef(route)) statuses.insert({"412", "428"});
  if (route.operation_id == "readReadiness") statuses.insert("503");
  return statuses;
}

class EachRoute : public testing::TestWithParam<Route> {
 protected:
  const json& item() const { return Description().at("paths").at(DescribedPath(GetParam())); }
  const json& operation() const { return item().at(LowerMethod(GetParam())); }
};

TEST_P(EachRoute, IsDescribedUnderItsOperationId) {
  EXPECT_EQ(operation()["operationId"], GetParam().operation_id);
}

TEST_P(EachRoute, HasItsScope) {
  const Scope scope = GetParam().scope.value();
  if (scope == Scope::kPublic) {
    EXPECT_EQ(operation()["security"], json::array());
  } else {
    EXPECT_EQ(operation()["x-emend-scope"], ScopeName(scope));
    EXPECT_FALSE(operation().contains("security"));
  }
}

TEST_P(EachRoute, HasItsParameters) {
  std::set<std::string> in_path;
  const std::string path = DescribedPath(GetParam());
  for (std::size_t open = path.find('{'); open != std::string::npos;
       open = path.find('{', open + 1))
    in_path.insert(path.substr(open + 1, path.find('}', open) - open - 1));
  EXPECT_EQ(Parameters(item(), operation(), "path"), in_path);
  EXPECT_EQ(Parameters(item(), operation(), "query"),
            std::set<std::string>(GetParam().query.begin(), GetParam().query.end()));
}

TEST_P(EachRoute, HasItsConditionsAndKeys) {
  const std::set<std::string> headers = Parameters(item(), operation(), "header");
  const bool submits = GetParam().success == 202 && GetParam().method == rest::Method::kPost;
  EXPECT_EQ(headers.contains("Idempotency-Key"), submits);
  EXPECT_EQ(headers.contains("If-Match"), MovesARef(GetParam()));
  EXPECT_EQ(headers.contains("Last-Event-ID"), GetParam().operation_id == "streamOperation");
}

TEST_P(EachRoute, HasItsBody) {
  EXPECT_EQ(operation().contains("requestBody"), GetParam().body != Body::kNone);
}

TEST_P(EachRoute, HasItsStatuses) {
  std::set<std::string> described;
  for (const auto& [status, response] : operation()["responses"].items()) described.insert(status);
  EXPECT_EQ(described, ExpectedStatuses(GetParam()));
}

INSTANTIATE_TEST_SUITE_P(Table, EachRoute, testing::ValuesIn(rest::Routes()),
                         [](const testing::TestParamInfo<Route>& row) {
                           return std::string(row.param.operation_id);
                         });

TEST(OpenApi, DescribesNothingThatIsNotThere) {
  std::set<std::string> routed;
  for (const Route& route : rest::Routes())
    routed.insert(LowerMethod(route) + " " + DescribedPath(route));
  for (const auto& [path, item] : Description()["paths"].items()) {
    for (const auto& [method, operation] : item.items()) {
      if (method == "parameters") continue;
      EXPECT_TRUE(routed.contains(method + " " + path)) << method << " " << path;
    }
  }
}

TEST(OpenApi, EveryReferenceLeadsSomewhere) {
  const json flat = Description().flatten();
  for (const auto& [place, value] : flat.items()) {
    if (!place.ends_with("/$ref")) continue;
    EXPECT_TRUE(Description().contains(json::json_pointer(value.get<std::string>().substr(1))))
        << place << " " << value;
  }
}

TEST(OpenApi, IsOfVersion31) { EXPECT_EQ(Description()["openapi"], "3.1.0"); }

}  // namespace
}  // namespace emend::api::openapi
