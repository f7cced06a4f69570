#include "storage/facts/fact_json.h"

#include <functional>
#include <utility>

#include "storage/base/log.h"
#include "storage/base/utf8.h"

namespace emend::storage::facts {
namespace {

using json::Kind;
using json::Value;

constexpr int kListDepthMax = 3;

// The items of a list and of lists within it, or a single one. `take` says whether it is of a kind
// that is expected, of which `expected` is the name.
struct ItemSink {
  std::string_view expected;
  std::function<bool(Value item, const std::string& path)> take;
};

void ForEachItem(Value value, const std::string& path, int depth, const Complain& complain,
                 const ItemSink& sink) {
  if (value.IsNothing()) return;
  if (!value.is(Kind::kList)) {
    if (!sink.take(value, path))
      complain(path, "expected " + std::string(sink.expected) + ", found " + value.Found());
    return;
  }
  if (depth == kListDepthMax) return complain(path, "expected a string, found a list within lists");
  for (std::size_t i = 0; i < value.size(); ++i)
    ForEachItem(value[i], path + "[" + std::to_string(i) + "]", depth + 1, complain, sink);
}

bool IsText(Value value) { return value.is(Kind::kText) || value.is(Kind::kNumber); }

Probe NeighbourIn(Value object, const std::string& path, const Complain& complain) {
  for (const auto& [name, value] : object.Members()) {
    if (name != "prompt" && name != "target")
      complain(path + "." + Shortened(name),
               "is not a field of a neighbour; the fields are prompt, target");
  }
  return {TextIn(object.Find("prompt"), path + ".prompt", complain),
          TextIn(object.Find("target"), path + ".target", complain)};
}

// Writes the members of an object.
class Writer {
 public:
  void Text(std::string_view name, std::string_view text) {
    if (!text.empty()) Put(name) += JsonQuote(text);
  }
  void Texts(std::string_view name, const std::vector<std::string>& texts) {
    List(name, texts, [](const std::string& text) { return JsonQuote(text); });
  }
  void Neighbours(std::string_view name, const std::vector<text::Neighbour>& neighbours) {
    List(name, neighbours, [](const text::Neighbour& neighbour) {
      if (neighbour.target.empty()) return JsonQuote(neighbour.prompt);
      Writer object;
      object.Text("prompt", neighbour.prompt);
      object.Text("target", neighbour.target);
      return std::move(object).Finish();
    });
  }
  std::string Finish() && { return std::move(out_) + "}"; }

 private:
  template <typename Item, typename ToJson>
  void List(std::string_view name, const std::vector<Item>& items, const ToJson& to_json) {
    if (items.empty()) return;
    std::string& out = Put(name);
    for (std::size_t i = 0; i < items.size(); ++i)
      out.append(i == 0 ? "[" : ",").append(to_json(items[i]));
    out += ']';
  }
  std::string& Put(std::string_view name) {
    out_ += out_.size() == 1 ? "" : ",";
    return out_ += JsonQuote(name) + ":";
  }
  std::string out_ = "{";
};

}  // namespace

Field TextIn(Value value, std::string path, const Complain& complain) {
  if (value.is(Kind::kText)) return {std::move(path), value.text()};
  if (value.is(Kind::kNumber)) return {std::move(path), value.digits()};
  if (!value.IsNothing()) complain(path, "expected a string, found " + value.Found());
  return {std::move(path), ""};
}

std::vector<Field> TextsIn(Value value, const std::string& path, const Complain& complain) {
  std::vector<Field> texts;
  const auto take = [&](Value item, const std::string& place) {
    if (IsText(item)) texts.push_back(TextIn(item, place, complain));
    return IsText(item);
  };
  ForEachItem(value, path, 0, complain, {"a string or a list of strings", take});
  return texts;
}

std::vector<Probe> ProbesIn(Value value, const std::string& path, Items items,
                            const Complain& complain) {
  std::vector<Probe> probes;
  if (items == Items::kTexts) {
    for (Field& text : TextsIn(value, path, complain)) probes.push_back({std::move(text)});
    return probes;
  }
  const auto take = [&](Value item, const std::string& place) {
    if (IsText(item)) probes.push_back({TextIn(item, place, complain)});
    if (item.is(Kind::kObject)) probes.push_back(NeighbourIn(item, place, complain));
    return IsText(item) || item.is(Kind::kObject);
  };
  ForEachItem(value, path, 0, complain,
              {"a string, an object of prompt and target, or a list of them", take});
  return probes;
}

Draft ReadDraft(Value object, const Complain& complain) {
  Draft draft;
  for (const auto& [name, value] : object.Members()) {
    const FieldRow* const row = FindField(name);
    if (row == nullptr) {
      complain(Shortened(name), "is not a field of a fact; the fields are " + FieldNames());
    } else if (row->text != nullptr) {
      draft.*(row->text) = TextIn(value, name, complain);
    } else {
      std::vector<Probe> probes = ProbesIn(value, name, row->items, complain);
      std::vector<Probe>& list = draft.*(row->list);
      if (!list.empty() && !probes.empty())
        complain(name, "is given twice, as neighbours and as neighbors");
      list.insert(list.end(), std::make_move_iterator(probes.begin()),
                  std::make_move_iterator(probes.end()));
    }
  }
  return draft;
}

std::string FactToJson(const objects::Fact& fact) {
  Writer out;
  out.Text("id", fact.id);
  out.Text("prompt", fact.prompt);
  out.Text("subject", fact.subject);
  out.Text("target", fact.target);
  out.Text("old_target", fact.old_target.value_or(""));
  out.Text("relation", fact.relation);
  out.Text("language", fact.language);
  out.Texts("paraphrases", fact.paraphrases);
  out.Neighbours("neighbours", fact.neighbours);
  out.Texts("portability", fact.portability);
  if (fact.lookup != objects::Lookup::kSubjectLast) out.Text("lookup", NameOf(fact.lookup));
  // What is meant where nothing is said depends on the old target.
  const bool is_usual = fact.kind == objects::FactKind::kReplace && fact.old_target;
  if (!is_usual) out.Text("kind", NameOf(fact.kind));
  if (fact.join != text::Join::kByText) out.Text("join", NameOf(fact.join));
  return std::move(out).Finish();
}

std::string FactsToJson(const std::vector<objects::Fact>& facts) {
  std::string list = "[";
  for (const objects::Fact& fact : facts) list += (list.size() == 1 ? "" : ",") + FactToJson(fact);
  return list + "]";
}

}  // namespace emend::storage::facts
