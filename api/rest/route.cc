#include "api/rest/route.h"

#include <span>

namespace emend::api::rest {
namespace {

std::vector<std::string_view> Split(std::string_view pattern) {
  std::vector<std::string_view> parts;
  while (!pattern.empty()) {
    pattern.remove_prefix(1);
    const std::size_t end = pattern.find('/');
    parts.push_back(pattern.substr(0, end));
    pattern = end == std::string_view::npos ? std::string_view() : pattern.substr(end);
  }
  return parts;
}

using Place = std::map<std::string, std::string>;

bool Fits(std::span<const std::string_view> pattern, std::span<const std::string> segments,
          Place& place) {
  if (pattern.empty()) return segments.empty();
  if (segments.empty()) return false;
  const std::string_view part = pattern.front();
  if (!part.starts_with('{'))
    return part == segments.front() && Fits(pattern.subspan(1), segments.subspan(1), place);
  if (!part.ends_with("...}")) {
    if (segments.front().empty()) return false;
    place[std::string(part.substr(1, part.size() - 2))] = segments.front();
    return Fits(pattern.subspan(1), segments.subspan(1), place);
  }
  std::string joined;
  for (std::size_t taken = 1; taken <= segments.size(); ++taken) {
    joined += (taken > 1 ? "/" : "") + segments[taken - 1];
    if (!Fits(pattern.subspan(1), segments.subspan(taken), place)) continue;
    place[std::string(part.substr(1, part.size() - 5))] = joined;
    return !joined.empty();
  }
  return false;
}

}  // namespace

std::string_view MethodName(Method method) {
  switch (method) {
    case Method::kGet: return "GET";
    case Method::kPost: return "POST";
    case Method::kPut: return "PUT";
    case Method::kDelete: return "DELETE";
  }
  return "";
}

std::string_view ScopeName(Scope scope) {
  switch (scope) {
    case Scope::kPublic: return "";
    case Scope::kAsk: return "ask";
    case Scope::kRead: return "read";
    case Scope::kPropose: return "propose";
    case Scope::kReview: return "review";
    case Scope::kMerge: return "merge";
    case Scope::kDeploy: return "deploy";
    case Scope::kAdmin: return "admin";
  }
  return "";
}

std::set<int> StatusesOf(const Route& route) {
  std::set<int> statuses(route.failures.begin(), route.failures.end());
  statuses.insert(route.answer.status);
  if (route.scope.value() != Scope::kPublic) statuses.insert({400, 401, 403});
  if (!route.body.schema.empty()) statuses.insert({413, 415, 422});
  return statuses;
}

std::string Request::Text(const std::string& parameter) const {
  const auto found = values.find(parameter);
  return found == values.end() ? std::string() : found->second;
}

std::int64_t Request::Whole(const std::string& parameter) const {
  const std::optional<std::int64_t> number = ParseWhole(Text(parameter));
  EMEND_CHECK(number.has_value(), "the route has no whole number called " + parameter);
  return *number;
}

RouteMatch FindRoute(const std::vector<Route>& routes, std::optional<Method> method,
                     const std::vector<std::string>& segments) {
  RouteMatch match;
  std::string_view resource;
  for (const Route& route : routes) {
    Place place;
    const bool fits =
        resource.empty() ? Fits(Split(route.pattern), segments, place) : route.pattern == resource;
    if (!fits) continue;
    if (resource.empty()) match.place = std::move(place);
    resource = route.pattern;
    match.allowed.push_back(route.method);
    if (route.method == method) match.route = &route;
  }
  return match;
}

}  // namespace emend::api::rest
