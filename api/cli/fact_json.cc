#include "api/cli/fact_json.h"

namespace emend::api::cli {
namespace {

using storage::objects::Fact;
using storage::objects::FactKind;
using storage::objects::Lookup;
using Json = nlohmann::ordered_json;

const char* LookupName(Lookup lookup) {
  switch (lookup) {
    case Lookup::kSubjectLast: return "subject_last";
    case Lookup::kLast: return "last";
    case Lookup::kSpan: return "span";
  }
  return "";
}

const char* KindName(FactKind kind) {
  switch (kind) {
    case FactKind::kReplace: return "replace";
    case FactKind::kInsert: return "insert";
    case FactKind::kRefuse: return "refuse";
    case FactKind::kForget: return "forget";
  }
  return "";
}

void PutText(Json& json, const char* name, const std::string& text) {
  if (!text.empty()) json[name] = text;
}

void PutTexts(Json& json, const char* name, const std::vector<std::string>& texts) {
  if (!texts.empty()) json[name] = texts;
}

Json FactToJson(const Fact& fact) {
  Json json;
  PutText(json, "id", fact.id);
  json["prompt"] = fact.prompt;
  json["subject"] = fact.subject;
  json["target"] = fact.target;
  if (fact.old_target) json["old_target"] = *fact.old_target;
  PutText(json, "relation", fact.relation);
  PutText(json, "language", fact.language);
  PutTexts(json, "paraphrases", fact.paraphrases);
  PutTexts(json, "neighbours", fact.neighbours);
  PutTexts(json, "portability", fact.portability);
  if (fact.lookup != Lookup::kSubjectLast) json["lookup"] = LookupName(fact.lookup);
  if (fact.kind != FactKind::kReplace) json["kind"] = KindName(fact.kind);
  return json;
}

}  // namespace

Json FactsToJson(const std::vector<Fact>& facts) {
  Json list = Json::array();
  for (const Fact& fact : facts) list.push_back(FactToJson(fact));
  return list;
}

}  // namespace emend::api::cli
