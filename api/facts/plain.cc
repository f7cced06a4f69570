#include <algorithm>
#include <array>
#include <utility>

#include "api/facts/forms.h"
#include "api/facts/record.h"

namespace emend::api::facts {
namespace {

using storage::objects::FactKind;
using storage::objects::Lookup;

// Plain fields that are one text, and where they go.
using Setter = void (*)(Field, Draft*);
constexpr std::array<std::pair<std::string_view, Setter>, 7> kTexts = {{
    {"id", [](Field field, Draft* draft) { draft->id = std::move(field.text); }},
    {"prompt", [](Field field, Draft* draft) { draft->prompt = std::move(field); }},
    {"subject", [](Field field, Draft* draft) { draft->subject = std::move(field); }},
    {"target", [](Field field, Draft* draft) { draft->target = std::move(field); }},
    {"old_target", [](Field field, Draft* draft) { draft->old_target = std::move(field); }},
    {"relation", [](Field field, Draft* draft) { draft->relation = std::move(field); }},
    {"language", [](Field field, Draft* draft) { draft->language = std::move(field); }},
}};
constexpr std::array<std::pair<std::string_view, std::vector<Field> Draft::*>, 4> kLists = {{
    {"paraphrases", &Draft::paraphrases},
    {"neighbours", &Draft::neighbours},
    {"neighbors", &Draft::neighbours},
    {"portability", &Draft::portability},
}};
constexpr std::array<std::pair<std::string_view, Lookup>, 3> kLookups = {
    {{"subject_last", Lookup::kSubjectLast}, {"last", Lookup::kLast}, {"span", Lookup::kSpan}}};
constexpr std::array<std::pair<std::string_view, FactKind>, 4> kKinds = {
    {{"replace", FactKind::kReplace},
     {"insert", FactKind::kInsert},
     {"refuse", FactKind::kRefuse},
     {"forget", FactKind::kForget}}};

template <typename Table>
auto FindIn(const Table& table, std::string_view name) {
  return std::find_if(table.begin(), table.end(),
                      [&](const auto& entry) { return entry.first == name; });
}

template <typename Table, typename Value>
void SetByName(const Table& table, const Field& field, std::size_t row, Value* value,
               ProblemList* problems) {
  const auto found = FindIn(table, Trim(field.text));
  if (found != table.end()) {
    *value = found->second;
    return;
  }
  std::string names;
  for (const auto& entry : table) names.append(names.empty() ? "" : ", ").append(entry.first);
  problems->Add(row, field.name,
                "is " + ProblemList::Quote(field.text) + "; expected one of " + names);
}

std::vector<Field> SplitAtBars(const std::string& name, std::string_view cell) {
  std::vector<Field> items;
  while (!cell.empty()) {
    const std::size_t bar = std::min(cell.find('|'), cell.size());
    const std::string_view item = Trim(cell.substr(0, bar));
    if (!item.empty()) items.push_back({name, std::string(item)});
    cell.remove_prefix(std::min(bar + 1, cell.size()));
  }
  return items;
}

std::vector<Field> ListInCell(const std::string& name, const std::string& cell, std::size_t row,
                              ProblemList* problems) {
  if (!Trim(cell).starts_with('[')) return SplitAtBars(name, cell);
  const Json list = Json::parse(cell, nullptr, /*allow_exceptions=*/false);
  if (list.is_discarded()) {
    problems->Add(row, name, "begins with \"[\" but is no JSON array: " + ProblemList::Quote(cell));
    return {};
  }
  const Json object = {{name, list}};
  return Record(object, "", row, problems).Texts(name.c_str());
}

}  // namespace

bool IsPlainField(std::string_view name) {
  return FindIn(kTexts, name) != kTexts.end() || FindIn(kLists, name) != kLists.end() ||
         name == "lookup" || name == "kind";
}

void SetPlainField(Field field, std::size_t row, Draft* draft, ProblemList* problems) {
  if (Trim(field.text).empty()) return;
  if (field.name == "lookup") return SetByName(kLookups, field, row, &draft->lookup, problems);
  if (field.name == "kind") return SetByName(kKinds, field, row, &draft->kind, problems);
  const auto text = FindIn(kTexts, field.name);
  EMEND_CHECK(text != kTexts.end(), "not a plain field of one text: " + field.name);
  text->second(std::move(field), draft);
}

void SetPlainList(std::string_view name, std::vector<Field> items, std::size_t row, Draft* draft,
                  ProblemList* problems) {
  const auto list = FindIn(kLists, name);
  EMEND_CHECK(list != kLists.end(), "not a plain list: " + std::string(name));
  std::vector<Field>& into = draft->*(list->second);
  if (!into.empty() && !items.empty())
    problems->Add(row, std::string(name), "is given twice, as neighbours and as neighbors");
  into.insert(into.end(), std::make_move_iterator(items.begin()),
              std::make_move_iterator(items.end()));
}

std::optional<Draft> ReadCsvRow(const std::vector<std::string>& header,
                                const std::vector<std::string>& cells, std::size_t row,
                                ProblemList* problems) {
  if (cells.size() != header.size()) {
    problems->Add(row, "",
                  "has " + std::to_string(cells.size()) + " cells; the header has " +
                      std::to_string(header.size()));
    return std::nullopt;
  }
  const std::size_t before = problems->count();
  Draft draft;
  draft.subject_in = SubjectIn::kTemplateOrText;
  draft.prompt.name = "prompt";
  draft.subject.name = "subject";
  draft.target.name = "target";
  for (std::size_t i = 0; i < cells.size(); ++i) {
    if (FindIn(kLists, header[i]) != kLists.end()) {
      SetPlainList(header[i], ListInCell(header[i], cells[i], row, problems), row, &draft,
                   problems);
    } else {
      SetPlainField({header[i], cells[i]}, row, &draft, problems);
    }
  }
  if (problems->count() != before) return std::nullopt;
  return draft;
}

}  // namespace emend::api::facts
