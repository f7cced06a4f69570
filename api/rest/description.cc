#include "api/rest/description.h"

#include <algorithm>
#include <cctype>
#include <nlohmann/json.hpp>
#include <set>

#include "api/openapi/openapi.h"

namespace emend::api::rest {
namespace {

using Description = nlohmann::ordered_json;

Description Reference(std::string_view kind, std::string_view name) {
  return {{"$ref", "#/components/" + std::string(kind) + "/" + std::string(name)}};
}

Description SchemaOf(const WholeNumber& type) {
  Description schema = {{"type", "integer"}, {"minimum", type.min}, {"maximum", type.max}};
  if (type.fallback) schema["default"] = *type.fallback;
  return schema;
}

Description SchemaOf(const Text& type) {
  return {{"type", "string"}, {"maxLength", type.characters_max}, {"pattern", type.pattern}};
}

Description SchemaOf(const Choice& type) {
  Description schema = {{"type", "string"}, {"enum", Description::array()}};
  for (const std::string_view value : type.values) schema["enum"].push_back(value);
  if (!type.fallback.empty()) schema["default"] = type.fallback;
  return schema;
}

Description Described(const Parameter& parameter) {
  constexpr const char* kPlaces[] = {"path", "query", "header"};
  Description described = {{"name", parameter.name},
                           {"in", kPlaces[static_cast<std::size_t>(parameter.in)]}};
  if (parameter.is_required || parameter.in == In::kPath) described["required"] = true;
  if (!parameter.description.empty()) described["description"] = parameter.description;
  described["schema"] = std::visit([](const auto& type) { return SchemaOf(type); }, parameter.type);
  return described;
}

// In components/responses.
std::string_view FailureName(int status) {
  switch (status) {
    case 400: return "BadRequest";
    case 401: return "Unauthenticated";
    case 403: return "PermissionDenied";
    case 404: return "NotFound";
    case 409: return "Conflict";
    case 412: return "StaleHead";
    case 413: return "TooLarge";
    case 415: return "UnsupportedMediaType";
    case 422: return "InvalidArgument";
    case 428: return "PreconditionRequired";
    case 503: return "Unavailable";
    default: return "Problem";
  }
}

Description Described(const Answer& answer) {
  if (answer.status == 202) return Reference("responses", "Accepted");
  Description response = {{"description", answer.schema.empty() ? "Done" : answer.schema}};
  if (!answer.header.empty())
    response["headers"][std::string(answer.header)] = Reference("headers", answer.header);
  if (!answer.schema.empty())
    response["content"]["application/json"]["schema"] = Reference("schemas", answer.schema);
  if (answer.streams == Streams::kNever) return response;
  response["content"]["text/event-stream"]["schema"] = Reference("schemas", answer.event);
  return response;
}

Description Described(const Route& route) {
  Description operation = {{"operationId", route.operation_id}, {"summary", route.summary}};
  if (!route.details.empty()) operation["description"] = route.details;
  if (route.scope.value() == Scope::kPublic) {
    operation["security"] = Description::array();
  } else {
    operation["x-emend-scope"] = ScopeName(route.scope.value());
  }
  for (const Parameter& parameter : route.parameters)
    operation["parameters"].push_back(Described(parameter));
  if (!route.body.schema.empty()) {
    operation["requestBody"]["required"] = true;
    operation["requestBody"]["content"]["application/json"]["schema"] =
        Reference("schemas", route.body.schema);
  }
  for (const int status : StatusesOf(route)) {
    operation["responses"][std::to_string(status)] =
        status == route.answer.status ? Described(route.answer)
                                      : Reference("responses", FailureName(status));
  }
  operation["responses"]["default"] = Reference("responses", "Problem");
  return operation;
}

}  // namespace

std::string DescribedPath(const Route& route) {
  std::string path(route.pattern);
  for (std::size_t at = path.find("...}"); at != std::string::npos; at = path.find("...}"))
    path.erase(at, 3);
  return path;
}

std::string DescriptionOf(const std::vector<Route>& routes) {
  auto description = Description::parse(openapi::OpenApiJson());
  Description& paths = description["paths"] = Description::object();
  for (const Route& route : routes) {
    std::string method(MethodName(route.method));
    std::ranges::transform(method, method.begin(), [](unsigned char c) { return std::tolower(c); });
    paths[DescribedPath(route)][method] = Described(route);
  }
  return description.dump();
}

}  // namespace emend::api::rest
