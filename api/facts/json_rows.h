// The records of a JSON array, or of JSON lines, one after the other: only one is in memory at a
// time. Thread-safety: free functions without state.
#pragma once

#include <cstddef>
#include <functional>
#include <nlohmann/json.hpp>
#include <string_view>

#include "storage/base/status.h"

namespace emend::api::facts {

using Json = nlohmann::json;

inline constexpr int kJsonDepthMax = 32;

// What a reader of rows is told. Rows count from 1.
struct JsonRowSink {
  // whether the row is selected; others are only counted
  std::function<bool(std::size_t row)> wants;
  // any JSON value: the sink says if it must be an object
  std::function<void(std::size_t row, const Json& record)> take;
  // JSON lines: this line is none
  std::function<void(std::size_t row, std::string_view problem)> not_json;
};

// Returns the number of rows. kInvalidArgument, slug "bad_fact_file", if `text` as a whole is no
// JSON array, kResourceExhausted over kFactRowsMax.
Result<std::size_t> ReadJsonArray(std::string_view text, const JsonRowSink& sink);
// One record a line; blank lines are passed over and not counted.
Result<std::size_t> ReadJsonLines(std::string_view text, const JsonRowSink& sink);

}  // namespace emend::api::facts
