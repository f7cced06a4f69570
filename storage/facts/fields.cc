#include "storage/facts/fields.h"

#include <algorithm>
#include <array>

#include "storage/facts/draft.h"

namespace emend::storage::facts {
namespace {

constexpr std::array<FieldRow, 13> kFields = {{
    {.name = "id", .text = &Draft::id},
    {.name = "prompt", .text = &Draft::prompt, .required = true},
    {.name = "subject", .text = &Draft::subject, .required = true},
    {.name = "target", .text = &Draft::target, .required = true},
    {.name = "old_target", .text = &Draft::old_target},
    {.name = "relation", .text = &Draft::relation},
    {.name = "language", .text = &Draft::language},
    {.name = "paraphrases", .list = &Draft::paraphrases},
    {.name = "neighbours", .list = &Draft::neighbours, .items = Items::kNeighbours},
    {.name = "portability", .list = &Draft::portability},
    {.name = "lookup", .text = &Draft::lookup},
    {.name = "kind", .text = &Draft::kind},
    {.name = "join", .text = &Draft::join},
}};

}  // namespace

std::span<const FieldRow> Fields() { return kFields; }

const FieldRow* FindField(std::string_view name) {
  if (name == "neighbors") name = "neighbours";
  const auto found = std::ranges::find(kFields, name, &FieldRow::name);
  return found == kFields.end() ? nullptr : &*found;
}

const std::string& FieldNames() {
  static const std::string kNames = [] {
    std::string names;
    for (const FieldRow& row : kFields) names.append(names.empty() ? "" : ", ").append(row.name);
    return names;
  }();
  return kNames;
}

std::string_view NameOf(objects::Lookup lookup) {
  switch (lookup) {
    case objects::Lookup::kSubjectLast: return "subject_last";
    case objects::Lookup::kLast: return "last";
    case objects::Lookup::kSpan: return "span";
  }
  return "";
}

std::string_view NameOf(objects::FactKind kind) {
  switch (kind) {
    case objects::FactKind::kReplace: return "replace";
    case objects::FactKind::kInsert: return "insert";
    case objects::FactKind::kRefuse: return "refuse";
    case objects::FactKind::kForget: return "forget";
  }
  return "";
}

std::string_view NameOf(text::Join join) {
  switch (join) {
    case text::Join::kByText: return "by_text";
    case text::Join::kNone: return "none";
    case text::Join::kSpace: return "space";
  }
  return "";
}

}  // namespace emend::storage::facts
