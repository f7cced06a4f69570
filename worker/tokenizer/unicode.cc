#include "worker/tokenizer/unicode.h"

#include <utf8proc.h>

namespace emend::worker::tokenizer {
namespace {

constexpr std::size_t kAlphabetEnd = 0x144;  // U+0100 + the 68 bytes that are not printable

bool IsPrintableByte(unsigned byte) {
  return (byte >= 0x21 && byte <= 0x7e) || (byte >= 0xa1 && byte <= 0xac) || byte >= 0xae;
}

std::array<char32_t, 256> MakeByteAlphabet() {
  std::array<char32_t, 256> alphabet{};
  char32_t next = 0x100;
  for (unsigned byte = 0; byte < 256; ++byte)
    alphabet[byte] = IsPrintableByte(byte) ? byte : next++;
  return alphabet;
}

std::array<int, kAlphabetEnd> MakeInverseAlphabet() {
  std::array<int, kAlphabetEnd> inverse{};
  inverse.fill(-1);
  for (unsigned byte = 0; byte < 256; ++byte)
    inverse[ByteAlphabet()[byte]] = static_cast<int>(byte);
  return inverse;
}

utf8proc_category_t CategoryOf(char32_t value) {
  return utf8proc_category(static_cast<utf8proc_int32_t>(value));
}

}  // namespace

CodePoint CodePointAt(std::string_view text, std::size_t at) {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[at + i]); };
  const unsigned char lead = byte(0);
  const auto tail = [&](std::size_t i) { return static_cast<char32_t>(byte(i) & 0x3f); };
  if (lead < 0x80) return {lead, 1};
  if (lead < 0xe0) return {(lead & 0x1fu) << 6 | tail(1), 2};
  if (lead < 0xf0) return {(lead & 0x0fu) << 12 | tail(1) << 6 | tail(2), 3};
  return {(lead & 0x07u) << 18 | tail(1) << 12 | tail(2) << 6 | tail(3), 4};
}

CodePoint CodePointBefore(std::string_view text, std::size_t end) {
  std::size_t at = end - 1;
  while ((static_cast<unsigned char>(text[at]) & 0xc0) == 0x80) --at;
  return CodePointAt(text, at);
}

void AppendUtf8(char32_t value, std::string* text) {
  std::array<utf8proc_uint8_t, 4> bytes{};
  const utf8proc_ssize_t size =
      utf8proc_encode_char(static_cast<utf8proc_int32_t>(value), bytes.data());
  text->append(reinterpret_cast<const char*>(bytes.data()), static_cast<std::size_t>(size));
}

bool IsWhitespace(char32_t value) {
  return (value >= 0x09 && value <= 0x0d) || value == 0x20 || value == 0x85 || value == 0xa0 ||
         value == 0x1680 || (value >= 0x2000 && value <= 0x200a) || value == 0x2028 ||
         value == 0x2029 || value == 0x202f || value == 0x205f || value == 0x3000;
}

bool IsWordCharacter(char32_t value) {
  const utf8proc_category_t category = CategoryOf(value);
  if (category >= UTF8PROC_CATEGORY_LU && category <= UTF8PROC_CATEGORY_NL) return true;
  if (category == UTF8PROC_CATEGORY_PC) return true;
  return value == 0x200c || value == 0x200d || (value >= 0x24b6 && value <= 0x24e9) ||
         (value >= 0x1f130 && value <= 0x1f149) || (value >= 0x1f150 && value <= 0x1f169) ||
         (value >= 0x1f170 && value <= 0x1f189);
}

bool IsNumeric(char32_t value) {
  const utf8proc_category_t category = CategoryOf(value);
  return category >= UTF8PROC_CATEGORY_ND && category <= UTF8PROC_CATEGORY_NO;
}

bool IsMark(char32_t value) {
  const utf8proc_category_t category = CategoryOf(value);
  return category >= UTF8PROC_CATEGORY_MN && category <= UTF8PROC_CATEGORY_ME;
}

bool IsPunctuation(char32_t value) {
  if (value < 0x80) return value > 0x20 && value < 0x7f && CategoryOf(value) > UTF8PROC_CATEGORY_NO;
  const utf8proc_category_t category = CategoryOf(value);
  return category >= UTF8PROC_CATEGORY_PC && category <= UTF8PROC_CATEGORY_PO;
}

const std::array<char32_t, 256>& ByteAlphabet() {
  static const std::array<char32_t, 256> alphabet = MakeByteAlphabet();
  return alphabet;
}

std::optional<std::string> BytesFromAlphabet(std::string_view text) {
  static const std::array<int, kAlphabetEnd> inverse = MakeInverseAlphabet();
  std::string bytes;
  for (std::size_t at = 0; at < text.size();) {
    const CodePoint character = CodePointAt(text, at);
    if (character.value >= kAlphabetEnd || inverse[character.value] < 0) return std::nullopt;
    bytes.push_back(static_cast<char>(inverse[character.value]));
    at += character.size;
  }
  return bytes;
}

}  // namespace emend::worker::tokenizer
