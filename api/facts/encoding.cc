#include "api/facts/encoding.h"

#include <algorithm>

#include "storage/base/utf8.h"

namespace emend::api::facts {
namespace {

std::string Place(std::string_view bytes, std::size_t at) {
  const auto line = 1 + std::ranges::count(bytes.substr(0, at), '\n');
  return "at byte " + std::to_string(at) + ", line " + std::to_string(line);
}

bool IsUtf16(std::string_view bytes) {
  if (bytes.starts_with("\xff\xfe") || bytes.starts_with("\xfe\xff")) return true;
  const std::string_view head = bytes.substr(0, 64);
  const auto zeros = static_cast<std::size_t>(std::ranges::count(head, '\0'));
  return head.size() >= 4 && zeros * 3 > head.size();
}

}  // namespace

std::optional<std::string> EncodingFault(std::string_view bytes) {
  if (bytes.starts_with("\x1f\x8b"))
    return "is compressed by gzip (byte 0, line 1); unpack it first";
  if (bytes.starts_with("\x28\xb5\x2f\xfd"))
    return "is compressed by zstd (byte 0, line 1); unpack it first";
  if (IsUtf16(bytes)) return "is UTF-16 (byte 0, line 1); write it as UTF-8";
  if (const auto at = FirstInvalidUtf8(bytes))
    return "is not UTF-8 " + Place(bytes, *at) + "; write it as UTF-8";
  if (const std::size_t at = bytes.find('\0'); at != std::string_view::npos)
    return "has NUL " + Place(bytes, at) + ": it is no text";
  return std::nullopt;
}

bool HasOldLineEnds(std::string_view text) {
  return text.find('\n') == std::string_view::npos &&
         text.substr(0, text.find_last_not_of('\r') + 1).find('\r') != std::string_view::npos;
}

std::string_view WithoutByteOrderMark(std::string_view text) {
  if (text.starts_with("\xef\xbb\xbf")) text.remove_prefix(3);
  return text;
}

}  // namespace emend::api::facts
