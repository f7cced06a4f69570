#include "storage/base/time_text.h"

#include <array>
#include <cstdio>
#include <ctime>

namespace emend {

std::string RenderTime(std::int64_t unix_ms) {
  const auto seconds =
      static_cast<std::time_t>(unix_ms >= 0 ? unix_ms / 1000 : (unix_ms - 999) / 1000);
  std::tm parts{};
  gmtime_r(&seconds, &parts);
  std::array<char, 32> text{};
  const std::size_t length = std::strftime(text.data(), text.size(), "%Y-%m-%dT%H:%M:%S", &parts);
  std::snprintf(text.data() + length, text.size() - length, ".%03dZ",
                static_cast<int>(unix_ms - static_cast<std::int64_t>(seconds) * 1000));
  return text.data();
}

}  // namespace emend
