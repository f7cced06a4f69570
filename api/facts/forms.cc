#include "api/facts/forms.h"

#include <algorithm>
#include <utility>

#include "api/facts/record.h"

namespace emend::api::facts {
namespace {

// A locality probe belongs to the neighbours if the old target answers it and it is not about the
// subject itself: "must go on answering the old target" is what a neighbour means, and the
// published neighbourhood score measures nothing else.
void AddLocality(const Field& prompt, const std::vector<Field>& answers, Draft* draft) {
  const bool answered = std::any_of(answers.begin(), answers.end(), [&](const Field& answer) {
    return draft->old_target.has_value() && Trim(answer.text) == Trim(draft->old_target->text);
  });
  if (answered && prompt.text.find(draft->subject.text) == std::string::npos) {
    draft->neighbours.push_back(prompt);
  } else {
    ++draft->locality_left_out;
  }
}

void SetFirst(const std::vector<Field>& texts, std::optional<Field>* field) {
  if (!texts.empty()) *field = texts.front();
}

void Append(std::vector<Field> texts, std::vector<Field>* list) {
  list->insert(list->end(), texts.begin(), texts.end());
}

std::string CaseId(const Record& record) {
  const auto id = record.OptionalText("case_id");
  return id.has_value() ? "counterfact/" + id->text : std::string();
}

Draft ReadCounterFact(const Record& record) {
  const Record rewrite = record.Object("requested_rewrite");
  Draft draft;
  draft.id = CaseId(record);
  draft.prompt = rewrite.Text("prompt");
  draft.subject = rewrite.Text("subject");
  draft.target = rewrite.Object("target_new").Text("str");
  if (rewrite.Has("target_true")) draft.old_target = rewrite.Object("target_true").Text("str");
  draft.relation = rewrite.OptionalText("relation_id").value_or(Field());
  draft.paraphrases = record.Texts("paraphrase_prompts");
  draft.neighbours = record.Texts("neighborhood_prompts");
  if (record.Has("portability"))
    draft.portability = record.Object("portability").Texts("New Question");
  return draft;
}

// EasyEdit's two forms share their main fields.
Draft ReadFlatFields(const Record& record) {
  Draft draft;
  draft.subject_in = SubjectIn::kTemplateOrText;
  draft.prompt = record.Text("prompt");
  draft.subject = record.Text("subject");
  draft.target = record.Text("target_new");
  SetFirst(record.Texts("ground_truth"), &draft.old_target);
  Append(record.Texts("rephrase_prompt"), &draft.paraphrases);
  Append(record.Texts("rephrase"), &draft.paraphrases);
  return draft;
}

Draft ReadEasyEdit(const Record& record) {
  Draft draft = ReadFlatFields(record);
  draft.id = CaseId(record);
  const std::vector<Field> prompts = record.Texts("locality_prompt");
  const std::vector<Field> answers = record.Texts("locality_ground_truth");
  for (std::size_t i = 0; i < prompts.size(); ++i) {
    const bool paired = prompts.size() == answers.size();
    AddLocality(prompts[i], paired ? std::vector<Field>{answers[i]} : answers, &draft);
  }
  return draft;
}

Draft ReadKnowEdit(const Record& record) {
  Draft draft = ReadFlatFields(record);
  for (const Record& probe : record.GroupedObjects("portability"))
    draft.portability.push_back(probe.Text("prompt"));
  for (const Record& probe : record.GroupedObjects("locality"))
    AddLocality(probe.Text("prompt"), probe.Texts("ground_truth"), &draft);
  return draft;
}

Draft ReadZsre(const Record& record) {
  Draft draft;
  draft.subject_in = SubjectIn::kTemplateOrText;
  draft.prompt = record.Text("src");
  draft.subject = record.Text("subject");
  draft.target = record.Text("alt");
  SetFirst(record.Texts("answers"), &draft.old_target);
  draft.paraphrases = record.Texts("rephrase");
  if (const auto loc = record.OptionalText("loc"))
    AddLocality(*loc, record.Texts("loc_ans"), &draft);
  return draft;
}

bool IsList(std::string_view name) {
  return name == "paraphrases" || name == "neighbours" || name == "neighbors" ||
         name == "portability";
}

Draft ReadPlain(const Json& object, const Record& record, std::size_t row, ProblemList* problems) {
  Draft draft;
  draft.subject_in = SubjectIn::kTemplateOrText;
  draft.prompt.name = "prompt";
  draft.subject.name = "subject";
  draft.target.name = "target";
  for (const auto& [name, value] : object.items()) {
    if (!IsPlainField(name)) {
      problems->Add(row, name,
                    "is not a field of a fact; the fields are " + std::string(kPlainFields));
    } else if (IsList(name)) {
      SetPlainList(name, record.Texts(name.c_str()), row, &draft, problems);
    } else if (auto field = record.OptionalText(name.c_str())) {
      SetPlainField(std::move(*field), row, &draft, problems);
    }
  }
  return draft;
}

bool HasText(const Json& record, const char* name) {
  const auto found = record.find(name);
  return found != record.end() && found->is_string();
}

}  // namespace

std::optional<FactFormat> FormOf(const Json& record) {
  if (!record.is_object()) return std::nullopt;
  if (record.contains("requested_rewrite")) return FactFormat::kCounterFact;
  if (record.contains("src") && record.contains("alt")) return FactFormat::kZsre;
  if (HasText(record, "target_new")) {
    const bool grouped = record.contains("portability") || record.contains("locality");
    return grouped ? FactFormat::kKnowEdit : FactFormat::kEasyEdit;
  }
  if (record.contains("prompt") && record.contains("target")) return FactFormat::kJsonl;
  return std::nullopt;
}

std::optional<Draft> ReadRecord(const Json& record, FactFormat form, std::size_t row,
                                ProblemList* problems) {
  if (!record.is_object()) {
    problems->Add(row, "", std::string("expected an object, found ") + record.type_name());
    return std::nullopt;
  }
  const std::size_t before = problems->count();
  const Record fields(record, "", row, problems);
  Draft draft;
  switch (form) {
    case FactFormat::kCounterFact: draft = ReadCounterFact(fields); break;
    case FactFormat::kEasyEdit: draft = ReadEasyEdit(fields); break;
    case FactFormat::kKnowEdit: draft = ReadKnowEdit(fields); break;
    case FactFormat::kZsre: draft = ReadZsre(fields); break;
    case FactFormat::kJsonl: draft = ReadPlain(record, fields, row, problems); break;
    case FactFormat::kAuto:
    case FactFormat::kCsv:
      EMEND_CHECK(false, "not a form of JSON: " + std::string(FactFormatName(form)));
  }
  if (problems->count() != before) return std::nullopt;
  return draft;
}

}  // namespace emend::api::facts
