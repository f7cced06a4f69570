// The structured log: one event per line, a name and fields, JSON-escaped.
//
//   LogInfo("commit_stored", {{"repo", repo}, {"commit", id.Short()}, {"edits", 100}});
//
// Level error means that a person must act. User-given text may only appear as a field value, never
// as the event name. Thread-safe; lines go to standard error until LogToFile is called.
#pragma once

#include <initializer_list>
#include <string>
#include <string_view>
#include <type_traits>

#include "storage/base/status.h"

namespace emend {

class LogField {
 public:
  LogField(std::string_view name, std::string_view text);
  LogField(std::string_view name, const char* text) : LogField(name, std::string_view(text)) {}
  LogField(std::string_view name, const std::string& text)
      : LogField(name, std::string_view(text)) {}
  LogField(std::string_view name, const Status& status) : LogField(name, status.ToString()) {}
  template <typename T, typename = std::enable_if_t<std::is_arithmetic_v<T>>>
  LogField(std::string_view name, T value) : name_(name), json_(std::to_string(value)) {}

  std::string_view name() const { return name_; }
  const std::string& json() const { return json_; }

 private:
  std::string_view name_;
  std::string json_;
};

using LogFields = std::initializer_list<LogField>;

void LogDebug(std::string_view event, LogFields fields = {});
void LogInfo(std::string_view event, LogFields fields = {});
void LogWarning(std::string_view event, LogFields fields = {});
void LogError(std::string_view event, LogFields fields = {});

enum class LogLevel { kDebug, kInfo, kWarning, kError, kOff };
void SetLogLevel(LogLevel level);
// Appends to `path` from now on. kUnavailable if it cannot be opened; the old destination stays.
Status LogToFile(const std::string& path);

// `text` as a JSON string literal, quotes included; bytes that are no UTF-8 become U+FFFD.
std::string JsonQuote(std::string_view text);

}  // namespace emend
