// The text of messages, put together by fmt: Format("{} of {} facts", taken, count).
#pragma once

#include <fmt/core.h>

#include <string>
#include <utility>

namespace emend {

template <typename... Values>
std::string Format(fmt::format_string<Values...> format, Values&&... values) {
  return fmt::format(format, std::forward<Values>(values)...);
}

}  // namespace emend
