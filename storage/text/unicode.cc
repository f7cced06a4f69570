#include "storage/text/unicode.h"

#include <utf8proc.h>

#include <algorithm>
#include <array>
#include <cstdlib>

#include "storage/base/check.h"
#include "storage/base/utf8.h"

namespace emend::storage::text {
namespace {

struct Range {
  char32_t first;
  char32_t last;
  const char* name;
};

constexpr std::array<Range, 23> kInvisible = {{
    {0x0000, 0x0008, "control character"},
    {0x000b, 0x001f, "control character"},
    {0x007f, 0x009f, "control character"},
    {0x00ad, 0x00ad, "soft hyphen"},
    {0x034f, 0x034f, "grapheme joiner"},
    {0x061c, 0x061c, "mark of direction"},
    {0x115f, 0x1160, "filler"},
    {0x17b4, 0x17b5, "inherent vowel"},
    {0x180b, 0x180f, "separator"},
    {0x200b, 0x200b, "zero width space"},
    {0x200c, 0x200d, "joiner"},
    {0x200e, 0x200f, "mark of direction"},
    {0x2028, 0x2028, "line separator"},
    {0x2029, 0x2029, "paragraph separator"},
    {0x202a, 0x202e, "mark of direction"},
    {0x2060, 0x2060, "word joiner"},
    {0x2061, 0x206f, "format character"},
    {0x3164, 0x3164, "filler"},
    {0xfeff, 0xfeff, "byte order mark"},
    {0xffa0, 0xffa0, "filler"},
    {0xfff0, 0xfffb, "format character"},
    {0xe0000, 0xe001f, "tag"},
    {0xe0080, 0xe0fff, "format character"},
}};

const Range* InvisibleRange(char32_t character) {
  const auto found = std::ranges::find_if(kInvisible, [character](const Range& range) {
    return character >= range.first && character <= range.last;
  });
  return found == kInvisible.end() ? nullptr : &*found;
}

bool IsContinuation(char byte) { return (static_cast<unsigned char>(byte) & 0xc0) == 0x80; }

char32_t Decode(std::string_view character) {
  utf8proc_int32_t value = 0;
  const auto* bytes = reinterpret_cast<const utf8proc_uint8_t*>(character.data());
  const auto size = static_cast<utf8proc_ssize_t>(character.size());
  return utf8proc_iterate(bytes, size, &value) > 0 ? static_cast<char32_t>(value) : 0xfffd;
}

std::size_t LastSize(std::string_view text) {
  std::size_t size = 1;
  while (size < text.size() && IsContinuation(text[text.size() - size])) ++size;
  return size;
}

}  // namespace

std::string Nfc(std::string_view text) {
  if (std::ranges::all_of(text, [](char c) { return static_cast<unsigned char>(c) < 0x80; }))
    return std::string(text);
  utf8proc_uint8_t* mapped = nullptr;
  const auto* bytes = reinterpret_cast<const utf8proc_uint8_t*>(text.data());
  const utf8proc_ssize_t size =
      utf8proc_map(bytes, static_cast<utf8proc_ssize_t>(text.size()), &mapped,
                   static_cast<utf8proc_option_t>(UTF8PROC_COMPOSE | UTF8PROC_STABLE));
  EMEND_CHECK(size >= 0, "utf8proc refused text that was checked as UTF-8");
  std::string composed(reinterpret_cast<const char*>(mapped), static_cast<std::size_t>(size));
  std::free(mapped);  // NOLINT: utf8proc allocates with malloc
  return composed;
}

bool IsBlank(char32_t character) {
  return (character >= 0x09 && character <= 0x0d) || character == 0x20 || character == 0x85 ||
         character == 0xa0 || character == 0x1680 || (character >= 0x2000 && character <= 0x200a) ||
         character == 0x2028 || character == 0x2029 || character == 0x202f || character == 0x205f ||
         character == 0x3000;
}

std::string_view Trim(std::string_view text) {
  while (!text.empty() && IsBlank(FirstCharacter(text)))
    text.remove_prefix(std::max<std::size_t>(1, Utf8Length(text)));
  while (!text.empty() && IsBlank(LastCharacter(text))) text.remove_suffix(LastSize(text));
  return text;
}

std::optional<Invisible> FirstInvisible(std::string_view text) {
  char32_t before = 0;
  for (std::size_t at = 0; at < text.size();) {
    const char32_t character = FirstCharacter(text.substr(at));
    const bool is_joiner = character == 0x200c || character == 0x200d;
    if (InvisibleRange(character) != nullptr && !(is_joiner && before >= 0x80))
      return Invisible{at, character};
    before = character;
    at += std::max<std::size_t>(1, Utf8Length(text.substr(at)));
  }
  return std::nullopt;
}

std::string NameOf(char32_t character) {
  static constexpr char kHex[] = "0123456789ABCDEF";
  std::string name;
  for (auto rest = static_cast<std::uint32_t>(character); rest > 0 || name.size() < 4; rest >>= 4)
    name.insert(name.begin(), kHex[rest & 15]);
  name = "U+" + name;
  const Range* const range = InvisibleRange(character);
  return range == nullptr ? name : name + " (" + range->name + ")";
}

char32_t FirstCharacter(std::string_view text) {
  const std::size_t length = Utf8Length(text);
  if (length == 0) return text.empty() ? 0 : 0xfffd;
  return Decode(text.substr(0, length));
}

char32_t LastCharacter(std::string_view text) {
  return text.empty() ? 0 : FirstCharacter(text.substr(text.size() - LastSize(text)));
}

std::string Utf8Of(char32_t character) {
  std::array<utf8proc_uint8_t, 4> bytes = {};
  const auto size = utf8proc_encode_char(static_cast<utf8proc_int32_t>(character), bytes.data());
  return {reinterpret_cast<const char*>(bytes.data()), static_cast<std::size_t>(size)};
}

}  // namespace emend::storage::text
