// UTF-8 as the Unicode standard defines it: no overlong forms, no surrogates, nothing beyond
// U+10FFFF.
//
//   if (const auto offset = FirstInvalidUtf8(text)) return InvalidArgument(
//       "byte " + std::to_string(*offset) + " starts no UTF-8 character");
//
// Thread-safe.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

namespace emend {

// What a message shows of a text that somebody sent.
inline constexpr std::size_t kShownBytesMax = 100;

// The length (1 to 4) of the well-formed character that `text` starts with; 0 if there is none.
std::size_t Utf8Length(std::string_view text);

// The offset of the first byte that starts no well-formed character; nothing if all of `text` is
// UTF-8.
std::optional<std::size_t> FirstInvalidUtf8(std::string_view text);

// The first `bytes_max` bytes of `text`, cut between two characters, and "..." if there is more:
// what every message uses that repeats what it was given.
std::string Shortened(std::string_view text, std::size_t bytes_max = kShownBytesMax);

}  // namespace emend
