#include "api/cli/corpus.h"

#include <algorithm>

#include "api/facts/encoding.h"
#include "storage/json/reader.h"
#include "storage/json/rows.h"

namespace emend::api::cli {
namespace {

using storage::json::Document;
using storage::json::Kind;

constexpr std::size_t kRowsMax = 10'000'000;

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

Status Bad(std::string message) {
  return {StatusCode::kInvalidArgument, "bad_corpus", std::move(message)};
}

class CorpusReader {
 public:
  explicit CorpusReader(std::optional<std::uint64_t> count_max) : count_max_(count_max) {}
  Corpus& corpus() { return corpus_; }

  Status ReadText(std::string_view text) {
    for (std::size_t number = 1; !text.empty() && !IsFull(); ++number) {
      const std::size_t end = text.find('\n');
      const std::string_view line = text.substr(0, end);
      if (const auto control = Control(Strip(line))) {
        return Bad("has the control character " + std::to_string(*control) + " in line " +
                   std::to_string(number) + ", byte " +
                   std::to_string(line.find(static_cast<char>(*control))) + " of the line");
      }
      Take(line);
      text = end == std::string_view::npos ? std::string_view() : text.substr(end + 1);
    }
    return OkStatus();
  }

  Status ReadJson(std::string_view text) {
    Status fault;
    const storage::json::RowSink sink = {
        .rows_max = kRowsMax, .take = [&](std::size_t row, const Result<Document>& record) {
          if (fault.ok() && !IsFull())
            fault = TakeRecord(record).WithContext("row " + std::to_string(row));
        }};
    const Result<std::size_t> rows =
        text.starts_with('[') ? ReadList(text, sink) : ReadLines(text, sink);
    EMEND_RETURN_IF_ERROR(fault);
    return rows.ok() ? OkStatus() : Bad(rows.status().message());
  }

 private:
  bool IsFull() const { return count_max_ && corpus_.lines.size() >= *count_max_; }

  static std::optional<int> Control(std::string_view line) {
    const auto found = std::ranges::find_if(line, [](char c) {
      return (static_cast<unsigned char>(c) < 0x20 && c != '\t') || c == '\x7f';
    });
    return found == line.end() ? std::nullopt : std::optional<int>(*found);
  }

  Status TakeRecord(const Result<Document>& record) {
    if (!record.ok()) return Bad(record.status().message());
    const storage::json::Value text = record->root().Find("text");
    if (!text.is(Kind::kText))
      return Bad("\"text\": expected a string, found " + text.Found() +
                 "; JSON is read by its field \"text\"");
    return ReadText(text.text());
  }

  void Take(std::string_view line) {
    std::string_view stripped = Strip(line);
    if (stripped.empty()) return;
    if (line.starts_with('<')) {
      ++corpus_.markup;
    } else if (Characters(stripped) < kLineCharactersMin) {
      ++corpus_.too_short;
    } else {
      for (; !stripped.empty() && !IsFull(); stripped = Strip(stripped)) {
        const std::string_view piece = Piece(stripped);
        corpus_.lines.emplace_back(Strip(piece));
        stripped.remove_prefix(piece.size());
      }
    }
  }

  // As much of a line as a request takes, up to a space if there is one.
  static std::string_view Piece(std::string_view line) {
    if (line.size() <= storage::json::kTextBytesMax) return line;
    const std::string_view most = line.substr(0, storage::json::kTextBytesMax);
    std::size_t end = most.rfind(' ');
    if (end == std::string_view::npos || end == 0) end = most.size();
    while (end > 1 && end < line.size() && (static_cast<unsigned char>(line[end]) & 0xc0) == 0x80)
      --end;
    return line.substr(0, end);
  }

  const std::optional<std::uint64_t> count_max_;
  Corpus corpus_;
};

}  // namespace

Result<Corpus> ReadCorpus(std::string_view bytes, std::string_view file_name,
                          std::optional<std::uint64_t> count_max) {
  const std::string context = "reading the corpus " + std::string(file_name);
  if (const auto fault = facts::EncodingFault(bytes)) return Bad(context + ": it " + *fault);
  const std::string_view text = Strip(facts::WithoutByteOrderMark(bytes));
  CorpusReader reader(count_max);
  const std::string_view first = Strip(text.substr(0, text.find('\n')));
  const bool is_json = text.starts_with("[{") || text.starts_with("[\n") ||
                       (first.starts_with('{') && first.ends_with('}'));
  EMEND_RETURN_IF_ERROR(
      (is_json ? reader.ReadJson(text) : reader.ReadText(text)).WithContext(context));
  Corpus& corpus = reader.corpus();
  if (!corpus.lines.empty()) return std::move(corpus);
  return Status(StatusCode::kInvalidArgument, "no_lines",
                context + ": no line is longer than 80 characters and does not start with \"<\" (" +
                    std::to_string(corpus.too_short) + " are shorter, " +
                    std::to_string(corpus.markup) +
                    " start with it); write a paragraph a line, not a sentence");
}

}  // namespace emend::api::cli
