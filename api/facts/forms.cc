#include "api/facts/forms.h"

#include <algorithm>
#include <utility>

#include "api/facts/record.h"
#include "storage/base/utf8.h"
#include "storage/facts/fact_json.h"
#include "storage/text/unicode.h"

namespace emend::api::facts {
namespace {

using storage::facts::Draft;
using storage::facts::Items;
using storage::facts::Probe;
using storage::json::Kind;
using storage::json::Value;
using storage::text::Trim;

// A locality probe belongs to the neighbours, with its answer as the target, if it has one and is
// not about the subject itself. Of several answers the old target is taken if it is among them:
// what the published neighbourhood score compares with.
void AddLocality(const Field& prompt, const std::vector<Field>& answers, Row& row) {
  if (Trim(prompt.text).empty()) return;
  std::vector<Field> given;
  for (const Field& answer : answers) {
    const std::string_view text = Trim(answer.text);
    if (text.empty()) continue;
    const bool is_old = text == Trim(row.draft.old_target.text);
    given.insert(is_old ? given.begin() : given.end(), answer);
  }
  const std::string& subject = row.draft.subject.text;
  if (given.empty()) {
    ++row.left_out[std::string(kLeftOutWithoutAnswer)];
  } else if (!subject.empty() && prompt.text.find(subject) != std::string::npos) {
    ++row.left_out[std::string(kLeftOutOfTheSubject)];
  } else {
    row.draft.neighbours.push_back({prompt, given.front()});
  }
}

void SetFirst(const std::vector<Field>& texts, Field& field) {
  if (!texts.empty()) field = texts.front();
}

void Append(std::vector<Probe> probes, std::vector<Probe>& list) {
  list.insert(list.end(), probes.begin(), probes.end());
}

Field CaseId(Record& record) {
  Field id = record.OptionalText("case_id");
  if (!id.text.empty()) id.text = "counterfact/" + id.text;
  return id;
}

// The questions of EasyEdit's extension of CounterFact and zsRE.
std::vector<Probe> NewQuestions(Record& record) {
  if (!record.Has("portability")) {
    record.PassOver({"portability"});
    return {};
  }
  Record portability = record.Object("portability");
  std::vector<Probe> questions = portability.Probes("New Question");
  portability.PassOver({"Recalled Relation", "New Answer"});
  portability.RefuseUnknown();
  return questions;
}

Field TargetOf(Record& rewrite, const char* name) {
  Record target = rewrite.Object(name);
  Field text = target.Text("str");
  target.PassOver({"id"});
  target.RefuseUnknown();
  return text;
}

void ReadCounterFact(Record& record, Row& row) {
  Record rewrite = record.Object("requested_rewrite");
  Draft& draft = row.draft;
  draft.subject_may_be_written_out = false;
  draft.id = CaseId(record);
  draft.prompt = rewrite.Text("prompt");
  draft.subject = rewrite.Text("subject");
  draft.target = TargetOf(rewrite, "target_new");
  if (rewrite.Has("target_true")) draft.old_target = TargetOf(rewrite, "target_true");
  rewrite.PassOver({"target_true"});
  draft.relation = rewrite.OptionalText("relation_id");
  rewrite.RefuseUnknown();
  draft.paraphrases = record.Probes("paraphrase_prompts");
  draft.neighbours = record.Probes("neighborhood_prompts", Items::kNeighbours);
  draft.portability = NewQuestions(record);
  record.PassOver({"pararel_idx", "attribute_prompts", "generation_prompts", "unrelated_relation",
                   "distracting_neighborhood_prompts", "alternative_subject"});
}

// EasyEdit's two forms share their main fields.
void ReadFlatFields(Record& record, Draft& draft) {
  draft.id = CaseId(record);
  draft.prompt = record.Text("prompt");
  draft.subject = record.Text("subject");
  draft.target = record.Text("target_new");
  SetFirst(record.Texts("ground_truth"), draft.old_target);
  Append(record.Probes("rephrase_prompt"), draft.paraphrases);
  Append(record.Probes("rephrase"), draft.paraphrases);
  record.PassOver({"pred", "cond"});
}

void ReadEasyEdit(Record& record, Row& row) {
  ReadFlatFields(record, row.draft);
  const std::vector<Field> prompts = record.Texts("locality_prompt");
  const std::vector<Field> answers = record.Texts("locality_ground_truth");
  for (std::size_t i = 0; i < prompts.size(); ++i) {
    // one prompt may have several answers; of several, each has the one in its place
    const bool paired = prompts.size() == answers.size();
    AddLocality(prompts[i],
                prompts.size() == 1 ? answers
                : paired            ? std::vector<Field>{answers[i]}
                                    : std::vector<Field>(),
                row);
  }
}

void ReadKnowEdit(Record& record, Row& row) {
  ReadFlatFields(record, row.draft);
  for (Record& probe : record.GroupedObjects("portability")) {
    row.draft.portability.push_back({probe.Text("prompt")});
    probe.PassOver({"ground_truth"});
    probe.RefuseUnknown();
  }
  for (Record& probe : record.GroupedObjects("locality")) {
    const Field prompt = probe.Text("prompt");
    AddLocality(prompt, probe.Texts("ground_truth"), row);
    probe.RefuseUnknown();
  }
}

void ReadZsre(Record& record, Row& row) {
  Draft& draft = row.draft;
  draft.prompt = record.Text("src");
  draft.subject = record.Text("subject");
  draft.target = record.Text("alt");
  SetFirst(record.Texts("answers"), draft.old_target);
  draft.paraphrases = record.Probes("rephrase");
  const Field probe = record.OptionalText("loc");
  AddLocality(probe, record.Texts("loc_ans"), row);
  draft.portability = NewQuestions(record);
  record.PassOver({"pred", "cond", "case_id"});
}

bool IsColumn(Value value) {
  const auto members = value.Members();
  return !members.empty() &&
         std::ranges::all_of(members.front().name, [](char c) { return c >= '0' && c <= '9'; });
}

}  // namespace

std::optional<FactFormat> FormOf(Value record) {
  const auto has = [&record](const char* name) { return !record.Find(name).is(Kind::kAbsent); };
  if (has("requested_rewrite")) return FactFormat::kCounterFact;
  if (has("src") && has("alt")) return FactFormat::kZsre;
  if (has("target_new")) {
    return has("portability") || has("locality") ? FactFormat::kKnowEdit : FactFormat::kEasyEdit;
  }
  if (has("prompt") || has("target")) return FactFormat::kJsonl;
  return std::nullopt;
}

std::string DescribeNoRow(Value record) {
  for (const auto& [name, value] : record.Members()) {
    if (IsColumn(value))
      return "is one object of columns, as pandas writes it; write one object a row "
             "(orient=\"records\")";
    if (!FormOf(record) && value.is(Kind::kList) && value.size() > 0 && FormOf(value[0]))
      return "is an object with the rows below \"" + Shortened(name) + "\"; give that list alone";
  }
  return "";
}

std::optional<Row> ReadRecord(Value record, FactFormat form, const Complain& complain) {
  if (!record.is(Kind::kObject)) {
    complain("", "expected an object, found " + record.Found());
    return std::nullopt;
  }
  if (form == FactFormat::kCounterFact && record.Find("requested_rewrite").is(Kind::kList)) {
    complain("requested_rewrite",
             "is a list of rewrites, as MQuAKE has it, and that form is not read; give each "
             "rewrite a record of its own");
    return std::nullopt;
  }
  bool failed = false;
  const Complain heard = [&](const std::string& field, const std::string& message) {
    failed = true;
    complain(field, message);
  };
  Row row;
  if (form == FactFormat::kJsonl) {
    row.draft = storage::facts::ReadDraft(record, heard);
  } else {
    const std::string name(FactFormatName(form));
    Record fields(record, "", "a record of the form " + name, heard);
    switch (form) {
      case FactFormat::kCounterFact: ReadCounterFact(fields, row); break;
      case FactFormat::kEasyEdit: ReadEasyEdit(fields, row); break;
      case FactFormat::kKnowEdit: ReadKnowEdit(fields, row); break;
      case FactFormat::kZsre: ReadZsre(fields, row); break;
      default: EMEND_CHECK(false, "not a form of JSON: " + name);
    }
    fields.RefuseUnknown();
  }
  if (failed) return std::nullopt;
  return row;
}

}  // namespace emend::api::facts
