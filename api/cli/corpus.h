// Which lines of a corpus the covariance is taken over. Pure functions.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "storage/base/status.h"

namespace emend::api::cli {

inline constexpr std::size_t kLineCharactersMin = 81;

struct Corpus {
  std::vector<std::string> lines;
  std::size_t too_short = 0;  // passed over: at most 80 characters
  std::size_t markup = 0;     // passed over: they start with "<"
};

// The lines that are, without the white space at their ends, longer than 80 characters (not bytes)
// and do not start with "<" as they stand; the first `count_max` of them. JSON lines, or a list of
// objects, are read by their field "text". A line beyond what a request may hold becomes several.
// kInvalidArgument ("bad_corpus") with line and byte for what is no text in UTF-8, ("no_lines") if
// no line is taken.
Result<Corpus> ReadCorpus(std::string_view bytes, std::string_view file_name,
                          std::optional<std::uint64_t> count_max);

}  // namespace emend::api::cli
