#include "tests/worker/edit/corpus.h"

#include <algorithm>
#include <array>
#include <cstdint>

namespace emend::worker::edit {
namespace {

constexpr std::size_t kLineCharactersMin = 81;

// White space outside ASCII, as UTF-8: what Python's str.strip takes off.
constexpr std::array<std::string_view, 19> kWideSpaces = {
    "\xC2\x85",     "\xC2\xA0",     "\xE1\x9A\x80", "\xE2\x80\x80", "\xE2\x80\x81",
    "\xE2\x80\x82", "\xE2\x80\x83", "\xE2\x80\x84", "\xE2\x80\x85", "\xE2\x80\x86",
    "\xE2\x80\x87", "\xE2\x80\x88", "\xE2\x80\x89", "\xE2\x80\x8A", "\xE2\x80\xA8",
    "\xE2\x80\xA9", "\xE2\x80\xAF", "\xE2\x81\x9F", "\xE3\x80\x80"};

bool IsAsciiSpace(char c) {
  return c == ' ' || (c >= '\t' && c <= '\r') || (c >= '\x1c' && c <= '\x1f');
}

std::size_t LeadingSpace(std::string_view text) {
  if (!text.empty() && IsAsciiSpace(text.front())) return 1;
  for (const std::string_view space : kWideSpaces) {
    if (text.starts_with(space)) return space.size();
  }
  return 0;
}

std::size_t TrailingSpace(std::string_view text) {
  if (!text.empty() && IsAsciiSpace(text.back())) return 1;
  for (const std::string_view space : kWideSpaces) {
    if (text.ends_with(space)) return space.size();
  }
  return 0;
}

std::string_view Strip(std::string_view text) {
  while (const std::size_t size = LeadingSpace(text)) text.remove_prefix(size);
  while (const std::size_t size = TrailingSpace(text)) text.remove_suffix(size);
  return text;
}

std::size_t CountCharacters(std::string_view utf8) {
  return static_cast<std::size_t>(std::count_if(utf8.begin(), utf8.end(), [](char c) {
    return (static_cast<std::uint8_t>(c) & 0xC0) != 0x80;
  }));
}

}  // namespace

std::vector<std::string> SelectCorpusLines(std::string_view text, std::size_t lines_max) {
  std::vector<std::string> lines;
  while (!text.empty() && (lines_max == 0 || lines.size() < lines_max)) {
    const std::size_t end = std::min(text.find_first_of("\r\n"), text.size());
    const std::string_view line = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    const std::string_view stripped = Strip(line);
    if (!line.starts_with("<") && CountCharacters(stripped) >= kLineCharactersMin)
      lines.emplace_back(stripped);
  }
  return lines;
}

}  // namespace emend::worker::edit
