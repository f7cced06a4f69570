// Which lines of a corpus the covariance is taken over. Pure functions.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace emend::api::cli {

inline constexpr std::size_t kLineCharactersMin = 81;

// The lines that are, without the white space at their ends, longer than 80 characters (not bytes)
// and do not start with "<" as they stand; the first `count_max` of them.
std::vector<std::string> SelectCorpusLines(std::string_view text,
                                           std::optional<std::uint64_t> count_max);

}  // namespace emend::api::cli
