// What a file is written in. Pure functions.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace emend::api::facts {

// Why `bytes` is no text in UTF-8, with the byte and line where that shows; nothing if it is. Named
// are UTF-16, compressed files, bytes of another encoding, and NUL.
std::optional<std::string> EncodingFault(std::string_view bytes);
// True if lines end with CR alone.
bool HasOldLineEnds(std::string_view text);
// Without the mark that some programs put at the start.
std::string_view WithoutByteOrderMark(std::string_view text);

}  // namespace emend::api::facts
