#include "api/rest/parameter.h"

#include <algorithm>
#include <charconv>
#include <mutex>
#include <regex>

#include "storage/base/utf8.h"

namespace emend::api::rest {
namespace {

std::string Quoted(std::string_view text) { return "\"" + Shortened(text) + "\""; }

Status Bad(const Parameter& parameter, std::string_view found, const std::string& expected) {
  if (parameter.in == In::kHeader) {
    return {StatusCode::kInvalidArgument, "malformed_request",
            "reading " + std::string(parameter.name) + ": found " + Quoted(found) + ", expected " +
                expected};
  }
  return {StatusCode::kInvalidArgument, "bad_parameter",
          "reading the parameter \"" + std::string(parameter.name) + "\": found " + Quoted(found) +
              ", expected " + expected};
}

// Patterns are few and constant: each is compiled once.
bool Fits(std::string_view pattern, const std::string& text) {
  static std::mutex mutex;
  static std::map<std::string_view, std::regex> compiled;
  const std::scoped_lock lock(mutex);
  auto found = compiled.find(pattern);
  if (found == compiled.end())
    found = compiled.emplace(pattern, std::regex(pattern.begin(), pattern.end())).first;
  return std::regex_match(text, found->second);
}

std::size_t Characters(std::string_view text) {
  return static_cast<std::size_t>(std::ranges::count_if(
      text, [](char c) { return (static_cast<unsigned char>(c) >> 6) != 2; }));
}

Status Check(const Parameter& parameter, const WholeNumber& type, const std::string& text) {
  const std::optional<std::int64_t> number = ParseWhole(text);
  if (number && *number >= type.min && *number <= type.max) return OkStatus();
  return Bad(parameter, text,
             "a whole number from " + std::to_string(type.min) + " to " + std::to_string(type.max));
}

// The length first: it bounds what the pattern costs.
Status Check(const Parameter& parameter, const Text& type, const std::string& text) {
  if (Characters(text) > type.characters_max) {
    return Bad(parameter, text, "at most " + std::to_string(type.characters_max) + " characters");
  }
  if (Fits(type.pattern, text)) return OkStatus();
  return Bad(parameter, text, std::string(type.expected));
}

Status Check(const Parameter& parameter, const Choice& type, const std::string& text) {
  if (std::ranges::find(type.values, text) != type.values.end()) return OkStatus();
  std::string known;
  for (const std::string_view value : type.values)
    known += (known.empty() ? "\"" : ", \"") + std::string(value) + "\"";
  return Bad(parameter, text, "one of " + known);
}

std::string Fallback(const Parameter& parameter) {
  if (const auto* number = std::get_if<WholeNumber>(&parameter.type))
    return number->fallback ? std::to_string(*number->fallback) : "";
  const auto* choice = std::get_if<Choice>(&parameter.type);
  return choice == nullptr ? "" : std::string(choice->fallback);
}

std::string KeyOf(const Parameter& parameter) {
  std::string key(parameter.name);
  if (parameter.in != In::kHeader) return key;
  std::ranges::transform(key, key.begin(),
                         [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return key;
}

Status CheckQuery(std::string_view operation_id, std::span<const Parameter> parameters,
                  const Values& query) {
  for (const auto& [name, value] : query) {
    const bool is_known = std::ranges::any_of(parameters, [&name](const Parameter& parameter) {
      return parameter.in == In::kQuery && parameter.name == name;
    });
    if (is_known) continue;
    return {StatusCode::kInvalidArgument, "unknown_parameter",
            std::string(operation_id) + " does not know the parameter " + Quoted(name)};
  }
  return OkStatus();
}

}  // namespace

std::optional<std::int64_t> ParseWhole(std::string_view text) {
  if (const std::size_t dot = text.find('.'); dot != std::string_view::npos && dot > 0) {
    const std::string_view fraction = text.substr(dot + 1);
    if (fraction.empty() || fraction.find_first_not_of('0') != std::string_view::npos)
      return std::nullopt;
    text = text.substr(0, dot);
  }
  std::int64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return number;
}

Result<Values> ReadParameters(std::string_view operation_id, std::span<const Parameter> parameters,
                              const Values& place, const Values& query, const Values& header) {
  EMEND_RETURN_IF_ERROR(CheckQuery(operation_id, parameters, query));
  Values values;
  for (const Parameter& parameter : parameters) {
    const Values& from = parameter.in == In::kPath    ? place
                         : parameter.in == In::kQuery ? query
                                                      : header;
    const auto found = from.find(KeyOf(parameter));
    if (found == from.end()) {
      if (parameter.is_required) {
        return Status(StatusCode::kInvalidArgument, "bad_parameter",
                      std::string(operation_id) + " needs the parameter \"" +
                          std::string(parameter.name) + "\", which is missing");
      }
      if (std::string text = Fallback(parameter); !text.empty())
        values.emplace(parameter.name, std::move(text));
      continue;
    }
    EMEND_RETURN_IF_ERROR(std::visit(
        [&](const auto& type) { return Check(parameter, type, found->second); }, parameter.type));
    values.emplace(parameter.name, found->second);
  }
  return values;
}

}  // namespace emend::api::rest
