// EMEND_CHECK: an always-on assertion with a message. It guards our own mistakes, never input: bad
// input is a Status.
#pragma once

#include <string>

namespace emend::internal {

[[noreturn]] void CheckFailed(const char* file, int line, const char* expression,
                              const std::string& message);

}  // namespace emend::internal

#define EMEND_CHECK(condition, message)                                          \
  do {                                                                           \
    if (!(condition)) [[unlikely]] {                                             \
      ::emend::internal::CheckFailed(__FILE__, __LINE__, #condition, (message)); \
    }                                                                            \
  } while (false)
