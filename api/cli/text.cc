#include "api/cli/text.h"

#include <algorithm>
#include <array>
#include <cstdio>
#include <numeric>
#include <utility>

namespace emend::api::cli {
namespace {

std::size_t Columns(std::string_view text) {
  std::size_t columns = 0;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '\033') {
      i = std::min(text.find('m', i), text.size() - 1);
    } else if ((static_cast<unsigned char>(text[i]) & 0xC0) != 0x80) {
      ++columns;
    }
  }
  return columns;
}

std::size_t EditDistance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> row(b.size() + 1);
  std::iota(row.begin(), row.end(), 0);
  for (std::size_t i = 1; i <= a.size(); ++i) {
    std::size_t diagonal = std::exchange(row[0], i);
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const std::size_t replaced = diagonal + (a[i - 1] == b[j - 1] ? 0 : 1);
      diagonal = std::exchange(row[j], std::min({replaced, row[j] + 1, row[j - 1] + 1}));
    }
  }
  return row.back();
}

}  // namespace

std::string Fixed(double value, int digits) {
  std::array<char, 64> text{};
  std::snprintf(text.data(), text.size(), "%.*f", digits, value);
  return text.data();
}

std::string RenderTable(const std::vector<std::vector<std::string>>& rows) {
  std::vector<std::size_t> widths;
  for (const auto& row : rows) {
    widths.resize(std::max(widths.size(), row.size()));
    for (std::size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], Columns(row[i]));
  }
  std::string table;
  for (const auto& row : rows) {
    for (std::size_t i = 0; i < row.size(); ++i) {
      table += row[i];
      if (i + 1 < row.size()) table += std::string(widths[i] - Columns(row[i]) + 2, ' ');
    }
    table += '\n';
  }
  return table;
}

std::string ShortId(std::string_view hex) { return std::string(hex.substr(0, 12)); }

std::string RenderSeconds(double seconds) {
  if (seconds < 10) return Fixed(seconds, 1) + " s";
  if (seconds < 60) return Fixed(seconds, 0) + " s";
  return std::to_string(static_cast<long>(seconds) / 60) + " min " +
         std::to_string(static_cast<long>(seconds) % 60) + " s";
}

std::string RenderMebibytes(double bytes) { return Fixed(bytes / (1 << 20), 1) + " MiB"; }

std::string RenderPercent(double value) { return Fixed(value, 1); }

std::string NearestWord(std::string_view word, const std::vector<std::string>& words) {
  std::string nearest;
  std::size_t best = std::min<std::size_t>(3, word.size());
  for (const std::string& candidate : words) {
    const std::size_t distance = EditDistance(word, candidate);
    if (distance < best) {
      best = distance;
      nearest = candidate;
    }
  }
  return nearest;
}

std::string Wrap(std::string_view text, std::size_t indent, std::size_t columns) {
  std::string wrapped;
  std::size_t column = indent;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find(' '), text.size());
    const std::string_view word = text.substr(0, end);
    if (column > indent && column + 1 + Columns(word) > columns) {
      wrapped += "\n" + std::string(indent, ' ');
      column = indent;
    } else if (column > indent) {
      wrapped += ' ';
      ++column;
    }
    wrapped += word;
    column += Columns(word);
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return wrapped;
}

std::string ShellWord(std::string_view word) {
  constexpr std::string_view kPlain =
      "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789@^._/:=+,-";
  // A "~" that begins a word is somebody's home.
  const bool is_plain =
      !word.empty() && word.find_first_not_of("~" + std::string(kPlain)) == word.npos;
  if (is_plain && !word.starts_with('~')) return std::string(word);
  std::string quoted = "'";
  for (const char c : word) quoted += c == '\'' ? std::string("'\\''") : std::string(1, c);
  return quoted + "'";
}

std::string Indent(std::string_view text) {
  std::string indented;
  for (bool last = false; !last;) {
    const std::size_t end = text.find('\n');
    last = end == std::string_view::npos;
    indented += "    " + std::string(text.substr(0, end)) + "\n";
    if (!last) text.remove_prefix(end + 1);
  }
  return indented;
}

std::string Plain(const std::string& text) {
  std::string plain;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const auto at = [&](std::size_t offset) {
      return i + offset < text.size() ? static_cast<unsigned char>(text[i + offset]) : 0;
    };
    const bool is_c1 = at(0) == 0xc2 && at(1) >= 0x80 && at(1) < 0xa0;
    // U+200E, U+200F, U+202A to U+202E; U+2066 to U+2069
    const bool turns = at(0) == 0xe2 && ((at(1) == 0x80 && ((at(2) >= 0x8e && at(2) <= 0x8f) ||
                                                            (at(2) >= 0xaa && at(2) <= 0xae))) ||
                                         (at(1) == 0x81 && at(2) >= 0xa6 && at(2) <= 0xa9));
    if (is_c1 || turns) {
      plain += '?';
      i += is_c1 ? 1 : 2;
    } else {
      plain += at(0) == 0x7f || (at(0) < 0x20 && at(0) != '\n') ? '?' : text[i];
    }
  }
  return plain;
}

}  // namespace emend::api::cli
