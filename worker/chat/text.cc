#include "worker/chat/text.h"

#include <string.h>
#include <utf8proc.h>

#include <algorithm>

#include "storage/base/utf8.h"

namespace emend::worker::chat {
namespace {

bool IsAsciiLetter(char byte) {
  return (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z');
}

// Whether one character stands for it in the other case, whatever stands beside it. Those for which
// that is not so are in SpecialCasing.txt of the Unicode standard; some ranges here are wider.
bool HasPlainCase(utf8proc_int32_t code, bool is_upper) {
  if (!is_upper) return code != 0x130 && code != 0x3A3;
  const bool is_single = code == 0xDF || code == 0x149 || code == 0x1F0 || code == 0x390 ||
                         code == 0x3B0 || code == 0x587;
  const bool is_ranged = (code >= 0x1E96 && code <= 0x1E9A) || (code >= 0x1F50 && code <= 0x1FFC) ||
                         (code >= 0xFB00 && code <= 0xFB17);
  return !is_single && !is_ranged;
}

// False for a character whose other case is not one character.
bool AppendInCase(std::string_view character, bool is_upper, std::string* changed) {
  utf8proc_int32_t code = 0;
  utf8proc_iterate(reinterpret_cast<const utf8proc_uint8_t*>(character.data()),
                   static_cast<utf8proc_ssize_t>(character.size()), &code);
  if (!HasPlainCase(code, is_upper)) return false;
  utf8proc_uint8_t bytes[4];
  const utf8proc_ssize_t size =
      utf8proc_encode_char(is_upper ? utf8proc_toupper(code) : utf8proc_tolower(code), bytes);
  changed->append(reinterpret_cast<const char*>(bytes), static_cast<std::size_t>(size));
  return true;
}

// The character that ends before byte `end`.
std::string_view CharacterBefore(std::string_view text, std::size_t end) {
  std::size_t begin = end - 1;
  while (begin > 0 && (static_cast<unsigned char>(text[begin]) & 0xC0) == 0x80) --begin;
  return text.substr(begin, end - begin);
}

std::string_view CharacterAt(std::string_view text, std::size_t at) {
  return text.substr(at, std::max<std::size_t>(1, Utf8Length(text.substr(at))));
}

// The length of the line end at byte `at`; 0 if there is none.
std::size_t LineEndAt(std::string_view text, std::size_t at) {
  if (text.substr(at, 2) == "\r\n") return 2;
  const std::string_view character = CharacterAt(text, at);
  if (character.size() == 1)
    return std::string_view("\n\r\v\f\x1c\x1d\x1e").find(character) == std::string_view::npos ? 0
                                                                                              : 1;
  return character == "\xc2\x85" || character == "\xe2\x80\xa8" || character == "\xe2\x80\xa9"
             ? character.size()
             : 0;
}

std::vector<std::string_view> SplitAtSpace(std::string_view text, std::int64_t cuts_max) {
  std::vector<std::string_view> parts;
  text = Strip(text, Side::kLeft);
  while (!text.empty()) {
    if (cuts_max >= 0 && static_cast<std::int64_t>(parts.size()) == cuts_max) {
      parts.push_back(Strip(text, Side::kRight));
      break;
    }
    std::size_t end = 0;
    while (end < text.size() && !IsSpace(CharacterAt(text, end)))
      end += CharacterAt(text, end).size();
    parts.push_back(text.substr(0, end));
    text = Strip(text.substr(end), Side::kLeft);
  }
  return parts;
}

// Whether a letter after `before` begins a word.
bool BeginsWord(LetterCase letter_case, std::string_view before) {
  if (before.empty()) return letter_case != LetterCase::kLower;
  if (letter_case == LetterCase::kTitle) return !IsAsciiLetter(before.back());
  return letter_case == LetterCase::kTitleFilter &&
         (IsSpace(before) || std::string_view("-({[<").find(before) != std::string_view::npos);
}

}  // namespace

bool IsSpace(std::string_view character) {
  static constexpr std::string_view kAscii = "\t\n\v\f\r\x1c\x1d\x1e\x1f ";
  static constexpr std::string_view kOthers[] = {
      "\xc2\x85",     "\xc2\xa0",     "\xe1\x9a\x80", "\xe2\x80\x80", "\xe2\x80\x81",
      "\xe2\x80\x82", "\xe2\x80\x83", "\xe2\x80\x84", "\xe2\x80\x85", "\xe2\x80\x86",
      "\xe2\x80\x87", "\xe2\x80\x88", "\xe2\x80\x89", "\xe2\x80\x8a", "\xe2\x80\xa8",
      "\xe2\x80\xa9", "\xe2\x80\xaf", "\xe2\x81\x9f", "\xe3\x80\x80"};
  if (character.size() == 1) return kAscii.find(character) != std::string_view::npos;
  return std::ranges::find(kOthers, character) != std::end(kOthers);
}

std::string_view Strip(std::string_view text, Side side,
                       std::optional<std::string_view> characters) {
  std::vector<std::string_view> set =
      characters ? Characters(*characters) : std::vector<std::string_view>();
  std::ranges::sort(set);
  const auto goes = [&](std::string_view character) {
    return characters ? std::ranges::binary_search(set, character) : IsSpace(character);
  };
  while (side != Side::kRight && !text.empty() && goes(CharacterAt(text, 0)))
    text.remove_prefix(CharacterAt(text, 0).size());
  while (side != Side::kLeft && !text.empty() && goes(CharacterBefore(text, text.size())))
    text.remove_suffix(CharacterBefore(text, text.size()).size());
  return text;
}

std::vector<std::string_view> Characters(std::string_view text) {
  std::vector<std::string_view> characters;
  for (std::size_t at = 0; at < text.size(); at += characters.back().size())
    characters.push_back(CharacterAt(text, at));
  return characters;
}

std::size_t CharacterCount(std::string_view text) {
  return static_cast<std::size_t>(std::ranges::count_if(
      text, [](char byte) { return (static_cast<unsigned char>(byte) & 0xC0) != 0x80; }));
}

std::vector<std::string_view> Split(std::string_view text,
                                    std::optional<std::string_view> separator,
                                    std::int64_t cuts_max) {
  if (!separator) return SplitAtSpace(text, cuts_max);
  std::vector<std::string_view> parts;
  while (cuts_max < 0 || static_cast<std::int64_t>(parts.size()) < cuts_max) {
    const std::optional<std::size_t> found = Find(text, *separator);
    if (!found) break;
    parts.push_back(text.substr(0, *found));
    text.remove_prefix(*found + separator->size());
  }
  parts.push_back(text);
  return parts;
}

std::vector<std::string_view> SplitLines(std::string_view text) {
  std::vector<std::string_view> lines;
  std::size_t begin = 0;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t end_size = LineEndAt(text, at);
    if (end_size > 0) lines.push_back(text.substr(begin, at - begin));
    at += end_size > 0 ? end_size : CharacterAt(text, at).size();
    if (end_size > 0) begin = at;
  }
  if (begin < text.size()) lines.push_back(text.substr(begin));
  return lines;
}

std::optional<std::size_t> Find(std::string_view text, std::string_view part, std::size_t from) {
  if (from > text.size()) return std::nullopt;
  if (part.empty()) return from;
  // std::string_view::find takes time that is a product of both lengths
  const void* const found =
      memmem(text.data() + from, text.size() - from, part.data(), part.size());
  if (found == nullptr) return std::nullopt;
  return static_cast<std::size_t>(static_cast<const char*>(found) - text.data());
}

Result<std::string> InCase(std::string_view text, LetterCase letter_case) {
  std::string changed;
  std::string_view before;
  for (std::size_t at = 0; at < text.size(); at += before.size()) {
    const std::string_view character = CharacterAt(text, at);
    const bool is_upper = letter_case == LetterCase::kUpper || BeginsWord(letter_case, before);
    const bool is_known = character.size() == 1 || letter_case == LetterCase::kUpper ||
                          letter_case == LetterCase::kLower;
    if (!is_known || !AppendInCase(character, is_upper, &changed))
      return Status(StatusCode::kUnsupported, "unsupported_chat_template",
                    "changing the case of \"" + std::string(character) + "\" in \"" +
                        Shortened(text) + "\" is not supported");
    before = character;
  }
  return changed;
}

}  // namespace emend::worker::chat
