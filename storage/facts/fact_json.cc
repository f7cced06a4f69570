#include "storage/facts/fact_json.h"

#include <utility>

#include "storage/base/log.h"
#include "storage/base/utf8.h"

namespace emend::storage::facts {
namespace {

using json::Kind;
using json::Value;

constexpr int kListDepthMax = 3;

void AppendTexts(Value value, const std::string& path, int depth, const Complain& complain,
                 std::vector<Field>& texts) {
  if (value.IsNothing()) return;
  if (!value.is(Kind::kList)) {
    if (value.is(Kind::kText) || value.is(Kind::kNumber)) {
      texts.push_back(TextIn(value, path, complain));
    } else {
      complain(path, "expected a string or a list of strings, found " + value.Found());
    }
    return;
  }
  if (depth == kListDepthMax) return complain(path, "expected a string, found a list within lists");
  for (std::size_t i = 0; i < value.size(); ++i)
    AppendTexts(value[i], path + "[" + std::to_string(i) + "]", depth + 1, complain, texts);
}

// Writes the members of an object.
class Writer {
 public:
  void Text(std::string_view name, std::string_view text) {
    if (!text.empty()) Put(name) += JsonQuote(text);
  }
  void Texts(std::string_view name, const std::vector<std::string>& texts) {
    if (texts.empty()) return;
    std::string& out = Put(name);
    for (std::size_t i = 0; i < texts.size(); ++i)
      out.append(i == 0 ? "[" : ",").append(JsonQuote(texts[i]));
    out += ']';
  }
  std::string Finish() && { return std::move(out_) + "}"; }

 private:
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
  AppendTexts(value, path, 0, complain, texts);
  return texts;
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
      std::vector<Field> texts = TextsIn(value, name, complain);
      std::vector<Field>& list = draft.*(row->list);
      if (!list.empty() && !texts.empty())
        complain(name, "is given twice, as neighbours and as neighbors");
      list.insert(list.end(), std::make_move_iterator(texts.begin()),
                  std::make_move_iterator(texts.end()));
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
  out.Texts("neighbours", fact.neighbours);
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
