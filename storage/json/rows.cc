#include "storage/json/rows.h"

#include <algorithm>

#include "storage/json/document_impl.h"

namespace emend::storage::json {
namespace {

constexpr std::string_view kBlanks = " \t\r\n";

Status TooManyRows(std::size_t rows_max) {
  return ResourceExhausted("has more than " + std::to_string(rows_max) + " rows");
}

}  // namespace

struct RowReader {
  static Result<Document> DocumentOf(Result<Node> node) {
    if (!node.ok()) return node.status();
    return Document(std::make_unique<Document::Impl>(*std::move(node)));
  }
};

Result<std::size_t> ReadList(std::string_view text, const RowSink& sink) {
  std::size_t rows = 0;
  // One level more than a record of its own has: the list.
  Builder builder(kDepthMax + 1, [&](std::size_t, Result<Node> element) {
    if (++rows > sink.rows_max) return false;
    sink.take(rows, RowReader::DocumentOf(std::move(element)));
    return true;
  });
  if (builder.Parse(text)) return rows;
  if (rows > sink.rows_max) return TooManyRows(sink.rows_max);
  const Status fault = MalformedJson(text, builder.fault());
  return Status(fault.code(), fault.slug(),
                "row " + std::to_string(rows + 1) + " is no JSON: " + fault.message());
}

Result<std::size_t> ReadLines(std::string_view text, const RowSink& sink) {
  std::size_t rows = 0;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    std::string_view line = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    line = line.substr(std::min(line.find_first_not_of(kBlanks), line.size()));
    line = line.substr(0, line.find_last_not_of(kBlanks) + 1);
    if (line.empty()) continue;
    if (++rows > sink.rows_max) return TooManyRows(sink.rows_max);
    Builder builder(kDepthMax);
    if (builder.Parse(line)) {
      sink.take(rows, RowReader::DocumentOf(std::move(builder.root())));
      continue;
    }
    TextFault fault = builder.fault();
    if (fault.byte) {
      fault.what =
          "is no JSON: byte " + std::to_string(*fault.byte) + " of the line: " + fault.what;
    }
    sink.take(rows, Status(StatusCode::kInvalidArgument, "malformed_json", fault.what));
  }
  return rows;
}

}  // namespace emend::storage::json
