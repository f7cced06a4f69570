// A pattern of a tokenizer file, compiled by PCRE2 with Unicode properties.
//
// Tokenizer files are written for Oniguruma. Where the two differ the pattern is translated (\s is
// the property White_Space, \w holds marks, \h is a hexadecimal digit, ^ and $ are those of a line)
// or refused (classes inside classes, their intersection, \b, "+" after an interval). Matching has
// limits, so that a hostile pattern ends in an error and not in a hang.
// Thread-safety: const methods are safe from many threads.
#pragma once

#include <cstddef>
#include <memory>
#include <string_view>
#include <vector>

#include "storage/base/status.h"

namespace emend::worker::tokenizer {

inline constexpr std::size_t kPatternBytesMax = 4096;

// Bytes [begin, end) of a text, and whether the pattern matched them.
struct Match {
  std::size_t begin = 0;
  std::size_t end = 0;
  bool matched = false;
};

class Regex {
 public:
  // kInvalidArgument for a pattern that does not compile, kUnsupported for one that PCRE2 reads
  // differently, kResourceExhausted for one over kPatternBytesMax.
  static Result<Regex> Compile(std::string_view pattern);

  // Cuts `text` into matches and what lies between them, in order and without gaps. REQUIRES:
  // `text` is UTF-8. kResourceExhausted if a match takes too many steps.
  Result<std::vector<Match>> Cut(std::string_view text) const;

 private:
  struct Code;
  explicit Regex(std::shared_ptr<const Code> code) : code_(std::move(code)) {}

  std::shared_ptr<const Code> code_;
};

}  // namespace emend::worker::tokenizer
