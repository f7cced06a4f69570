#include "api/cli/corpus.h"

#include <algorithm>

namespace emend::api::cli {
namespace {

bool IsSpace(char c) {
  return c == ' ' || (c >= '\t' && c <= '\r') || (c >= '\x1c' && c <= '\x1f');
}

std::string_view Strip(std::string_view text) {
  while (!text.empty() && IsSpace(text.front())) text.remove_prefix(1);
  while (!text.empty() && IsSpace(text.back())) text.remove_suffix(1);
  return text;
}

std::size_t Characters(std::string_view text) {
  return static_cast<std::size_t>(std::ranges::count_if(
      text, [](char c) { return (static_cast<unsigned char>(c) & 0xC0) != 0x80; }));
}

}  // namespace

std::vector<std::string> SelectCorpusLines(std::string_view text,
                                           std::optional<std::uint64_t> count_max) {
  std::vector<std::string> lines;
  while (!text.empty() && (!count_max || lines.size() < *count_max)) {
    const std::size_t end = text.find('\n');
    const std::string_view line = text.substr(0, end);
    const std::string_view stripped = Strip(line);
    if (!line.starts_with('<') && Characters(stripped) >= kLineCharactersMin)
      lines.emplace_back(stripped);
    text = end == std::string_view::npos ? std::string_view() : text.substr(end + 1);
  }
  return lines;
}

}  // namespace emend::api::cli
