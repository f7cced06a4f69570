#include "coordinator/core/gguf_config.h"

#include <array>
#include <charconv>

#include "storage/base/log.h"

namespace emend::coordinator::core {

using storage::checkpoint::GgufFile;

Status CannotConvert(const GgufFile& file, StatusCode code, const char* slug,
                     const std::string& what) {
  return {code, slug, "converting the GGUF file \"" + file.name() + "\": " + what};
}

double Shortest(double value) {
  const auto narrow = static_cast<float>(value);
  if (static_cast<double>(narrow) != value) return value;
  std::array<char, 64> text{};
  const auto [end, ignored] = std::to_chars(text.data(), text.data() + text.size(), narrow);
  std::from_chars(text.data(), end, value);
  return value;
}

std::string GgufConfig::Seen(std::string_view key) {
  std::string whole = prefix_ + std::string(key);
  seen_.insert(whole);
  return whole;
}

Status GgufConfig::Neutral(std::string_view key, std::int64_t value) {
  const auto found = file_.metadata().find(Seen(key));
  if (found == file_.metadata().end()) return OkStatus();
  const auto* const flag = std::get_if<bool>(&found->second);
  const Result<std::optional<double>> number = file_.Number(found->first);
  if (flag != nullptr ? *flag == (value != 0)
                      : number.ok() && **number == static_cast<double>(value))
    return OkStatus();
  return Unsupported(key, "another value", std::to_string(value));
}

Status GgufConfig::Unsupported(std::string_view key, const std::string& found,
                               const std::string& expected) const {
  return CannotConvert(file_, StatusCode::kUnsupported, "unsupported_config",
                       prefix_ + std::string(key) + ": found " + found + ", expected " + expected);
}

Status GgufConfig::RefuseUnread() const {
  for (const auto& [key, value] : file_.metadata()) {
    if (key.starts_with(prefix_) && !seen_.contains(key)) {
      return CannotConvert(file_, StatusCode::kUnsupported, "unsupported_config",
                           JsonQuote(key) + " is not known: it may change what is computed");
    }
  }
  return OkStatus();
}

}  // namespace emend::coordinator::core
