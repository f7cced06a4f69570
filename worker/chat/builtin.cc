#include "worker/chat/builtin.h"

#include <algorithm>

#include "worker/chat/text.h"

namespace emend::worker::chat {
namespace {

const Builtin* FindRow(std::span<const Builtin> rows, std::string_view name) {
  const auto found = std::ranges::find(rows, name, &Builtin::name);
  return found == rows.end() ? nullptr : &*found;
}

std::vector<std::span<const Builtin>> RowsOf(Table table) {
  switch (table) {
    case Table::kFilters: return {TextFilters(), ListFilters()};
    case Table::kTests: return {Tests()};
    case Table::kMethods: return {Methods()};
    case Table::kGlobals: return {Globals()};
  }
  return {};
}

}  // namespace

const Value* Call::Find(std::string_view name) const {
  const auto found = std::ranges::find(named, name, &std::pair<std::string, Value>::first);
  return found == named.end() ? nullptr : &found->second;
}

Result<std::int64_t> Call::Integer(std::size_t i, std::int64_t if_none) const {
  if (!Has(i) || Argument(i).IsNone()) return if_none;
  const std::optional<std::int64_t> integer = Argument(i).Integer();
  if (integer) return *integer;
  return Failed("expected an integer, found " + std::string(Argument(i).KindName()));
}

Result<std::optional<std::string>> Call::Text(std::size_t i) const {
  if (!Has(i) || Argument(i).IsNone()) return std::optional<std::string>();
  if (Argument(i).text() != nullptr) return std::optional(*Argument(i).text());
  return Failed("expected a text, found " + std::string(Argument(i).KindName()));
}

const Builtin* FindFilter(std::string_view name) {
  const Builtin* const of_text = FindRow(TextFilters(), name);
  return of_text != nullptr ? of_text : FindRow(ListFilters(), name);
}
const Builtin* FindTest(std::string_view name) { return FindRow(Tests(), name); }
const Builtin* FindMethod(std::string_view name) { return FindRow(Methods(), name); }
const Builtin* FindGlobal(std::string_view name) { return FindRow(Globals(), name); }

std::string NamesOf(Table table) {
  std::vector<std::string_view> names;
  for (const std::span<const Builtin> rows : RowsOf(table)) {
    for (const Builtin& row : rows) names.push_back(row.name);
  }
  std::ranges::sort(names);
  std::string joined;
  for (const std::string_view name : names)
    joined += (joined.empty() ? "" : ", ") + std::string(name);
  return joined;
}

std::vector<Parameter> ParametersOf(const Builtin& row) {
  std::vector<Parameter> parameters;
  for (const std::string_view word : Split(row.parameters, std::nullopt, -1)) {
    const bool is_optional = word.ends_with('?');
    parameters.push_back({word.substr(0, word.size() - (is_optional ? 1 : 0)), is_optional});
  }
  return parameters;
}

Result<Value> CallByName(Run& run, Table table, const Value& name, const Value& subject,
                         std::span<const std::optional<Value>> arguments) {
  const Deeper deeper(run);
  EMEND_RETURN_IF_ERROR(deeper.Check());
  EMEND_RETURN_IF_ERROR(run.Step(run.line()));
  const bool is_filter = table == Table::kFilters;
  const std::string role = is_filter ? "filter" : "test";
  if (name.text() == nullptr)
    return Failed("expected the name of a " + role + ", found " + std::string(name.KindName()));
  const Builtin* const row = is_filter ? FindFilter(*name.text()) : FindTest(*name.text());
  if (row == nullptr) return NotSupported("the " + role + " \"" + *name.text() + "\"");
  const std::vector<Parameter> parameters = ParametersOf(*row);
  const auto required = static_cast<std::size_t>(
      std::ranges::count_if(parameters, [](const Parameter& each) { return !each.is_optional; }));
  const bool fits = arguments.size() >= required && arguments.size() <= parameters.size();
  if (!row->TakesAny() && !fits)
    return Failed("the " + role + " \"" + *name.text() + "\" with " +
                  std::to_string(arguments.size()) + " arguments");
  return row->run({run, subject, arguments});
}

}  // namespace emend::worker::chat
