// The forms that a record of a fact file can have, each read into a Draft.
// Thread-safety: free functions without state.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "api/facts/fact_file.h"
#include "storage/facts/draft.h"
#include "storage/json/value.h"

namespace emend::api::facts {

// A row on its way to a fact.
struct Row {
  storage::facts::Draft draft;
  LeftOut left_out;
};

// The form that `record` has by its fields; nothing if it has none of them.
std::optional<FactFormat> FormOf(storage::json::Value record);
// What `record` seems to be if it is no row: a table of columns, rows below a name. Empty if
// nothing is known of it.
std::string DescribeNoRow(storage::json::Value record);

// Nothing if a field is missing, of a wrong type or unknown to the form, which `complain` is then
// told. REQUIRES: `form` is one of JSON.
std::optional<Row> ReadRecord(storage::json::Value record, FactFormat form,
                              const storage::facts::Complain& complain);

// One row of a CSV file. A cell that holds a list is a JSON array, or texts with "|" between.
std::optional<Row> ReadCsvRow(const std::vector<std::string>& header,
                              const std::vector<std::string>& cells,
                              const storage::facts::Complain& complain);

}  // namespace emend::api::facts
