#include <charconv>

#include "api/rest/handlers.h"

namespace emend::api::rest {
namespace {

constexpr std::chrono::milliseconds kWaitMax{60'000};
constexpr std::uint64_t kTimeoutMax = 30 * 24 * 3600;  // seconds

bool ParseWhole(std::string_view text, std::uint64_t& number) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  return error == std::errc() && end == text.data() + text.size();
}

Status Bad(const std::string& name, const std::string& found, const std::string& expected) {
  return {StatusCode::kInvalidArgument, "bad_parameter",
          "reading the parameter \"" + name + "\": found \"" + found + "\", expected " + expected};
}

}  // namespace

std::string Request::Query(const std::string& name) const {
  const auto found = query.find(name);
  return found == query.end() ? std::string() : found->second;
}

std::string Request::Header(const std::string& name) const {
  const auto found = headers.find(name);
  return found == headers.end() ? std::string() : found->second;
}

Result<std::uint64_t> NumberParameter(const Request& request, const std::string& name,
                                      std::uint64_t fallback, std::uint64_t max) {
  const auto found = request.query.find(name);
  if (found == request.query.end()) return fallback;
  std::uint64_t number = 0;
  if (!ParseWhole(found->second, number) || number > max)
    return Bad(name, found->second, "a whole number of at most " + std::to_string(max));
  return number;
}

Result<std::chrono::milliseconds> WaitParameter(const Request& request) {
  const std::string text = request.Query("wait");
  if (!request.query.contains("wait")) return std::chrono::milliseconds(0);
  std::uint64_t number = 0;
  const bool milliseconds = text.ends_with("ms");
  const bool seconds = !milliseconds && text.ends_with("s");
  const std::string_view digits = std::string_view(text).substr(0, text.size() - (milliseconds ? 2
                                                                                  : seconds    ? 1
                                                                                            : 0));
  if ((!milliseconds && !seconds) || !ParseWhole(digits, number) || number > 60'000 ||
      number * (seconds ? 1000 : 1) > 60'000) {
    return Bad("wait", text,
               "a duration such as \"30s\" or \"1500ms\", at most " +
                   std::to_string(kWaitMax.count() / 1000) + "s");
  }
  return std::chrono::milliseconds(number * (seconds ? 1000 : 1));
}

Result<storage::records::Priority> PriorityParameter(const Request& request) {
  if (!request.query.contains("priority")) return storage::records::Priority::kNormal;
  const std::string text = request.Query("priority");
  const auto priority = storage::records::ParsePriority(text);
  if (!priority) return Bad("priority", text, "\"interactive\", \"normal\" or \"batch\"");
  return *priority;
}

Result<std::chrono::seconds> TimeoutParameter(const Request& request) {
  EMEND_ASSIGN_OR_RETURN(const std::uint64_t seconds,
                         NumberParameter(request, "timeout", 0, kTimeoutMax));
  if (seconds == 0 && request.query.contains("timeout"))
    return Bad("timeout", request.Query("timeout"), "at least one second");
  return std::chrono::seconds(seconds);
}

}  // namespace emend::api::rest
