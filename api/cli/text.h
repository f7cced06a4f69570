// Text for people: tables, short ids, durations, distances between words. Pure functions.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace emend::api::cli {

// Columns in line, two spaces between them; the first row is the header. Escape sequences and UTF-8
// continuation bytes take no column.
std::string RenderTable(const std::vector<std::vector<std::string>>& rows);

// The first 12 digits of an id.
std::string ShortId(std::string_view hex);
// With so many digits after the point.
std::string Fixed(double value, int digits);
// "0.8 s", "42 s", "3 min 5 s".
std::string RenderSeconds(double seconds);
// "0.5 MiB", "1161.5 MiB".
std::string RenderMebibytes(double bytes);
// "87.5", "100.0".
std::string RenderPercent(double value);

// The nearest of `words` within three edits, "" if none is near.
std::string NearestWord(std::string_view word, const std::vector<std::string>& words);

// Broken between words so that no line is longer than `columns`; lines after the first are `indent`
// in. The first has `indent` before it already.
std::string Wrap(std::string_view text, std::size_t indent, std::size_t columns);

// A word as a shell reads it: in single quotes where it holds more than letters, digits and
// "@~^._/-".
std::string ShellWord(std::string_view word);

// What others wrote, with "?" for what a terminal obeys (controls but the newline) and for what
// turns the direction of text around.
std::string Plain(const std::string& text);

// Every line four spaces in, with a line end.
std::string Indent(std::string_view text);

}  // namespace emend::api::cli
