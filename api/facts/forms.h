// The forms that a record of a fact file can have, each read into a Draft.
// Thread-safety: free functions without state.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "api/facts/draft.h"
#include "api/facts/json_rows.h"

namespace emend::api::facts {

// The form that `record` has by its fields; nothing if it has none of them.
std::optional<FactFormat> FormOf(const Json& record);

// Nothing if a field is missing or of a wrong type; `problems` then says which. REQUIRES: `form` is
// one of JSON.
std::optional<Draft> ReadRecord(const Json& record, FactFormat form, std::size_t row,
                                ProblemList* problems);

// The plain fields: of a CSV's header, of a JSON object.
// id, prompt, subject, target, old_target, relation, language, paraphrases, neighbours,
// portability, lookup, kind; "neighbors" is taken too.
bool IsPlainField(std::string_view name);
inline constexpr std::string_view kPlainFields =
    "id, prompt, subject, target, old_target, relation, language, paraphrases, neighbours, "
    "portability, lookup, kind";

// Puts one plain field into `draft`. Empty fields are as if they were not there.
void SetPlainField(Field field, std::size_t row, Draft* draft, ProblemList* problems);
// The same for a list.
void SetPlainList(std::string_view name, std::vector<Field> items, std::size_t row, Draft* draft,
                  ProblemList* problems);

// One row of a CSV file. A cell that holds a list is a JSON array of strings, or items with "|"
// between.
std::optional<Draft> ReadCsvRow(const std::vector<std::string>& header,
                                const std::vector<std::string>& cells, std::size_t row,
                                ProblemList* problems);

}  // namespace emend::api::facts
