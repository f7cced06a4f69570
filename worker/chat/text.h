// Texts as Python's str has them: white space, cases, lines, characters. All texts are UTF-8. Pure
// functions.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "storage/base/status.h"

namespace emend::worker::chat {

enum class Side { kLeft, kRight, kBoth };
// Without white space, or without the characters of `characters`, at its ends (str.strip).
std::string_view Strip(std::string_view text, Side side,
                       std::optional<std::string_view> characters = std::nullopt);

// The characters, each as the bytes of `text` that it stands in.
std::vector<std::string_view> Characters(std::string_view text);
std::size_t CharacterCount(std::string_view text);
bool IsSpace(std::string_view character);

// str.split: by white space where there is no separator. `cuts_max` below 0: no bound.
// REQUIRES: the separator is not empty.
std::vector<std::string_view> Split(std::string_view text,
                                    std::optional<std::string_view> separator,
                                    std::int64_t cuts_max);
std::vector<std::string_view> SplitLines(std::string_view text);  // str.splitlines

// Where `part` begins in `text` from byte `from` on. Linear in time.
std::optional<std::size_t> Find(std::string_view text, std::string_view part, std::size_t from = 0);

enum class LetterCase {
  kUpper,
  kLower,
  kCapitalized,  // the first letter large, the others small
  kTitle,        // str.title: a large letter after each character that is none
  kTitleFilter,  // the filter title: after white space, a hyphen and an opening bracket
};
// kUnsupported where a character's other case is several characters or depends on its neighbours,
// and for the last three forms of a text that is not ASCII.
Result<std::string> InCase(std::string_view text, LetterCase letter_case);

}  // namespace emend::worker::chat
