#include <algorithm>
#include <utility>

#include "api/facts/forms.h"
#include "storage/facts/fact_json.h"
#include "storage/json/document.h"
#include "storage/text/unicode.h"

namespace emend::api::facts {
namespace {

using storage::facts::Complain;
using storage::facts::FieldRow;
using storage::facts::Probe;
using storage::text::Trim;

std::vector<Probe> SplitAtBars(const std::string& name, std::string_view cell) {
  std::vector<Probe> items;
  while (!cell.empty()) {
    const std::size_t bar = std::min(cell.find('|'), cell.size());
    const std::string_view item = Trim(cell.substr(0, bar));
    if (!item.empty()) items.push_back({{name, std::string(item)}});
    cell.remove_prefix(std::min(bar + 1, cell.size()));
  }
  return items;
}

std::vector<Probe> ListInCell(const FieldRow& field, const std::string& cell,
                              const Complain& complain) {
  const std::string name(field.name);
  if (!Trim(cell).starts_with('[')) return SplitAtBars(name, cell);
  const auto list = storage::json::Document::Parse(cell, storage::json::Top::kAny);
  if (list.ok()) return storage::facts::ProbesIn(list->root(), name, field.items, complain);
  complain(name, "begins with \"[\" but is no JSON array: " + storage::facts::Quote(cell));
  return {};
}

}  // namespace

std::optional<Row> ReadCsvRow(const std::vector<std::string>& header,
                              const std::vector<std::string>& cells, const Complain& complain) {
  if (cells.size() != header.size()) {
    complain("", "has " + std::to_string(cells.size()) + " cells; the header has " +
                     std::to_string(header.size()));
    return std::nullopt;
  }
  bool failed = false;
  const Complain heard = [&](const std::string& field, const std::string& message) {
    failed = true;
    complain(field, message);
  };
  Row row;
  for (std::size_t i = 0; i < cells.size(); ++i) {
    const FieldRow& field = *storage::facts::FindField(header[i]);
    if (field.text != nullptr) {
      row.draft.*(field.text) = {header[i], cells[i]};
    } else {
      std::vector<Probe> items = ListInCell(field, cells[i], heard);
      std::vector<Probe>& list = row.draft.*(field.list);
      list.insert(list.end(), items.begin(), items.end());
    }
  }
  if (failed) return std::nullopt;
  return row;
}

}  // namespace emend::api::facts
