// What is described is what the routes say, and whole.
#include "api/rest/description.h"

#include <gtest/gtest.h>

#include <limits>
#include <map>
#include <nlohmann/json.hpp>
#include <set>

#include "storage/facts/fields.h"
#include "storage/json/reader.h"
#include "worker/protocol/solve_settings.h"

namespace emend::api::rest::description_test {
namespace {

using nlohmann::json;

const json& Description() {
  static const json kDescription = json::parse(DescriptionOf(Routes()));
  return kDescription;
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

// All of the path item and of the operation, as "in name" to the parameter.
std::map<std::string, json> Parameters(const json& item, const json& operation) {
  std::map<std::string, json> parameters;
  for (const json* owner : {&item, &operation}) {
    for (const json& parameter : owner->value("parameters", json::array())) {
      const json resolved = Resolve(parameter);
      parameters[resolved["in"].get<std::string>() + " " + resolved["name"].get<std::string>()] =
          resolved;
    }
  }
  return parameters;
}

const char* PlaceOf(const Parameter& parameter) {
  switch (parameter.in) {
    case In::kPath: return "path";
    case In::kQuery: return "query";
    case In::kHeader: return "header";
  }
  return "";
}

// What the description of a parameter has to say, but for its text.
json SchemaOf(const WholeNumber& type) {
  json schema = {{"type", "integer"}, {"minimum", type.min}, {"maximum", type.max}};
  if (type.fallback) schema["default"] = *type.fallback;
  return schema;
}
json SchemaOf(const Text& type) {
  return {{"type", "string"}, {"maxLength", type.characters_max}, {"pattern", type.pattern}};
}
json SchemaOf(const Choice& type) {
  json schema = {{"type", "string"}, {"enum", json::array()}};
  for (const std::string_view value : type.values) schema["enum"].push_back(value);
  if (!type.fallback.empty()) schema["default"] = type.fallback;
  return schema;
}
json Described(const Parameter& parameter) {
  return {{"schema", std::visit([](const auto& type) { return SchemaOf(type); }, parameter.type)},
          {"required", parameter.is_required || parameter.in == In::kPath}};
}

json ReferenceTo(std::string_view schema) {
  return {{"$ref", "#/components/schemas/" + std::string(schema)}};
}

class EachRoute : public testing::TestWithParam<Route> {
 protected:
  const json& item() const { return Description().at("paths").at(DescribedPath(GetParam())); }
  const json& operation() const { return item().at(LowerMethod(GetParam())); }
};

TEST_P(EachRoute, IsDescribedUnderItsOperationId) {
  EXPECT_EQ(operation()["operationId"], GetParam().operation_id);
  EXPECT_EQ(operation()["summary"], GetParam().summary);
  EXPECT_FALSE(GetParam().summary.empty());
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

TEST_P(EachRoute, HasItsParametersWithTheirBounds) {
  std::map<std::string, json> expected, described;
  for (const Parameter& parameter : GetParam().parameters)
    expected[PlaceOf(parameter) + std::string(" ") + std::string(parameter.name)] =
        Described(parameter);
  for (const auto& [name, parameter] : Parameters(item(), operation())) {
    described[name] = {{"schema", parameter["schema"]},
                       {"required", parameter.value("required", false)}};
  }
  EXPECT_EQ(described, expected);
}

TEST_P(EachRoute, HasItsBody) {
  if (GetParam().body.schema.empty()) {
    EXPECT_FALSE(operation().contains("requestBody"));
    return;
  }
  const json& body = operation()["requestBody"];
  EXPECT_EQ(body["required"], true);
  EXPECT_EQ(body["content"]["application/json"]["schema"], ReferenceTo(GetParam().body.schema));
}

TEST_P(EachRoute, HasItsAnswer) {
  const Answer& answer = GetParam().answer;
  const json response = Resolve(operation()["responses"].at(std::to_string(answer.status)));
  const json content = response.value("content", json::object());
  EXPECT_EQ(content.contains("application/json"), !answer.schema.empty());
  EXPECT_EQ(content.contains("text/event-stream"), !answer.event.empty());
  EXPECT_EQ(!answer.event.empty(), answer.streams != Streams::kNever);
  if (answer.status != 202) {
    EXPECT_EQ(response.value("headers", json::object()).contains(answer.header),
              !answer.header.empty());
  }
  if (!answer.schema.empty()) {
    EXPECT_EQ(content["application/json"]["schema"], ReferenceTo(answer.schema));
  }
}

TEST_P(EachRoute, HasItsStatuses) {
  std::set<std::string> described, expected = {"default"};
  for (const auto& [status, response] : operation()["responses"].items()) described.insert(status);
  for (const int status : StatusesOf(GetParam())) expected.insert(std::to_string(status));
  EXPECT_EQ(described, expected);
}

// A parameter that stands in the path's pattern and not among the parameters would not be read.
TEST_P(EachRoute, DeclaresWhatItsPathHolds) {
  std::set<std::string> in_pattern, declared;
  const std::string path = DescribedPath(GetParam());
  for (std::size_t open = path.find('{'); open != std::string::npos;
       open = path.find('{', open + 1))
    in_pattern.insert(path.substr(open + 1, path.find('}', open) - open - 1));
  for (const Parameter& parameter : GetParam().parameters) {
    if (parameter.in == In::kPath) declared.insert(std::string(parameter.name));
  }
  EXPECT_EQ(declared, in_pattern);
}

INSTANTIATE_TEST_SUITE_P(Table, EachRoute, testing::ValuesIn(Routes()),
                         [](const testing::TestParamInfo<Route>& row) {
                           return std::string(row.param.operation_id);
                         });

TEST(OpenApi, DescribesNothingThatIsNotThere) {
  std::set<std::string> routed;
  for (const Route& route : Routes())
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

const json& Schema(const std::string& name) {
  return Description().at("components").at("schemas").at(name);
}

json RangeOf(const char* type, const json& min, const json& max) {
  const json range = {{"type", type}, {"minimum", min}, {"maximum", max}};
  return {{"anyOf", {range, ReferenceTo("NumberText")}}};
}

// What the description of a setting has to say, but for its text.
struct RangeOfSetting {
  const worker::protocol::Setting& setting;
  using Solve = worker::protocol::SolveSettings;
  json operator()(double Solve::*) const { return RangeOf("number", setting.min, setting.max); }
  json operator()(std::int64_t Solve::*) const {
    return RangeOf("integer", setting.min, setting.max);
  }
  json operator()(std::uint64_t Solve::*) const {
    return RangeOf("integer", 0, std::numeric_limits<std::uint64_t>::max());
  }
  json operator()(std::vector<LayerIndex> Solve::*) const {
    const json one = {{"type", "integer"},
                      {"minimum", 0},
                      {"maximum", std::numeric_limits<std::int32_t>::max() - 1}};
    const json list = {{"type", "string"}, {"pattern", "^[0-9]{1,9}(,[0-9]{1,9})*$"}};
    return {{"anyOf", {one, list}}};
  }
};

TEST(OpenApi, SettingsOfASolveAreThoseOfTheTableWithTheirRanges) {
  json expected, described = Schema("Settings").at("properties");
  for (const worker::protocol::Setting& setting : worker::protocol::Settings()) {
    json& range = expected[std::string(setting.name)];
    range = std::visit(RangeOfSetting{setting}, setting.field);
    if (!setting.zero.empty()) range["anyOf"].push_back({{"const", setting.zero}});
  }
  for (json& setting : described) setting.erase("description");
  EXPECT_EQ(described, expected);
  EXPECT_EQ(Schema("Settings").at("additionalProperties"), false);
  json methods;
  for (const worker::protocol::SolveMethod& method : worker::protocol::SolveMethods())
    methods.push_back(method.name);
  EXPECT_EQ(Schema("CommitRequest")["properties"]["method"]["enum"], methods);
}

TEST(OpenApi, AFactHasTheFieldsOfTheTableWithTheirBounds) {
  namespace facts = storage::facts;
  std::set<std::string> expected = {"neighbors"}, described;
  json required = json::array();
  for (const facts::FieldRow& row : facts::Fields()) {
    expected.insert(std::string(row.name));
    if (row.required) required.push_back(row.name);
  }
  const json& properties = Schema("Fact").at("properties");
  for (const auto& [name, field] : properties.items()) described.insert(name);
  EXPECT_EQ(described, expected);
  EXPECT_EQ(Schema("Fact")["required"], required);
  EXPECT_EQ(properties["prompt"]["maxLength"], facts::kPromptBytesMax);
  EXPECT_EQ(properties["subject"]["maxLength"], facts::kSubjectBytesMax);
  for (const char* name : {"target", "old_target"})
    EXPECT_EQ(properties[name]["maxLength"], facts::kTargetBytesMax);
  EXPECT_EQ(Schema("FactName")["maxLength"], facts::kNameBytesMax);
  EXPECT_EQ(Schema("Probe")["maxLength"], facts::kPromptBytesMax);
  EXPECT_EQ(Schema("Probes")["anyOf"][1]["maxItems"], facts::kProbesMax);
}

TEST(OpenApi, TextsAndListsHaveTheReadersBounds) {
  for (const char* name : {"Text", "FilledText", "Template"})
    EXPECT_EQ(Schema(name)["maxLength"], storage::json::kTextBytesMax) << name;
  EXPECT_EQ(Schema("StatisticsRequest")["properties"]["layers"]["maxItems"],
            storage::json::kListMax);
  EXPECT_EQ(Schema("ContextTemplates")["items"]["maxItems"], storage::json::kListMax);
}

TEST(OpenApi, IsOfVersion31) { EXPECT_EQ(Description()["openapi"], "3.1.0"); }

}  // namespace
}  // namespace emend::api::rest::description_test
