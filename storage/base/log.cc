#include "storage/base/log.h"

#include <spdlog/sinks/basic_file_sink.h>
#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

#include <mutex>

#include "storage/base/utf8.h"

namespace emend {
namespace {

constexpr char kPattern[] = "{\"time\":\"%Y-%m-%dT%H:%M:%S.%eZ\",\"level\":\"%l\",%v}";

std::shared_ptr<spdlog::logger> MakeLogger(spdlog::sink_ptr sink, spdlog::level::level_enum level) {
  auto logger = std::make_shared<spdlog::logger>("emend", std::move(sink));
  logger->set_pattern(kPattern, spdlog::pattern_time_type::utc);
  logger->set_level(level);
  logger->flush_on(spdlog::level::info);
  return logger;
}

std::mutex& Mutex() {
  static std::mutex* mutex = new std::mutex;
  return *mutex;
}

std::shared_ptr<spdlog::logger>& Slot() {
  static auto* slot = new std::shared_ptr<spdlog::logger>(
      MakeLogger(std::make_shared<spdlog::sinks::stderr_sink_mt>(), spdlog::level::info));
  return *slot;
}

std::shared_ptr<spdlog::logger> Logger() {
  const std::lock_guard lock(Mutex());
  return Slot();
}

void Write(spdlog::level::level_enum level, std::string_view event, LogFields fields) {
  const auto logger = Logger();
  if (!logger->should_log(level)) return;
  std::string line = "\"event\":" + JsonQuote(event);
  for (const LogField& field : fields)
    line.append(",").append(JsonQuote(field.name())).append(":").append(field.json());
  logger->log(level, "{}", line);
}

}  // namespace

std::string JsonQuote(std::string_view text) {
  static constexpr char kHex[] = "0123456789abcdef";
  std::string quoted = "\"";
  while (!text.empty()) {
    const std::size_t length = Utf8Length(text);
    const auto c = static_cast<unsigned char>(text.front());
    if (length == 0) {
      quoted += "\xef\xbf\xbd";
    } else if (c == '"' || c == '\\') {
      quoted.append(1, '\\').append(1, static_cast<char>(c));
    } else if (c < 0x20 || c == 0x7f) {
      quoted.append("\\u00").append(1, kHex[c >> 4]).append(1, kHex[c & 15]);
    } else {
      quoted.append(text.substr(0, length));
    }
    text.remove_prefix(std::max<std::size_t>(length, 1));
  }
  return quoted + "\"";
}

LogField::LogField(std::string_view name, std::string_view text)
    : name_(name), json_(JsonQuote(text)) {}

void LogDebug(std::string_view event, LogFields fields) {
  Write(spdlog::level::debug, event, fields);
}
void LogInfo(std::string_view event, LogFields fields) {
  Write(spdlog::level::info, event, fields);
}
void LogWarning(std::string_view event, LogFields fields) {
  Write(spdlog::level::warn, event, fields);
}
void LogError(std::string_view event, LogFields fields) {
  Write(spdlog::level::err, event, fields);
}

void SetLogLevel(LogLevel level) {
  static constexpr spdlog::level::level_enum kLevels[] = {spdlog::level::debug, spdlog::level::info,
                                                          spdlog::level::warn, spdlog::level::err,
                                                          spdlog::level::off};
  Logger()->set_level(kLevels[static_cast<int>(level)]);
}

Status LogToFile(const std::string& path) {
  try {
    const auto level = Logger()->level();
    auto logger = MakeLogger(std::make_shared<spdlog::sinks::basic_file_sink_mt>(path), level);
    const std::lock_guard lock(Mutex());
    Slot() = std::move(logger);
    return OkStatus();
  } catch (const spdlog::spdlog_ex& error) {
    return Unavailable("the log file \"" + path + "\" could not be opened: " + error.what());
  }
}

}  // namespace emend
