// The rows of a JSON list, or of JSON lines, one after the other: only one is in memory at a time.
// Rows count from 1. Thread-safety: free functions without state.
#pragma once

#include <cstddef>
#include <functional>
#include <string_view>

#include "storage/base/status.h"
#include "storage/json/document.h"

namespace emend::storage::json {

struct RowSink {
  std::size_t rows_max = 0;
  // The row, or why this one cannot be read: a line that is no JSON, a key that comes twice.
  std::function<void(std::size_t row, Result<Document> record)> take;
};

// The number of rows. kInvalidArgument, slug "malformed_json", with line and column if `text` as a
// whole is no JSON list; kResourceExhausted over rows_max.
Result<std::size_t> ReadList(std::string_view text, const RowSink& sink);
// One record a line; blank lines are passed over and not counted.
Result<std::size_t> ReadLines(std::string_view text, const RowSink& sink);

}  // namespace emend::storage::json
