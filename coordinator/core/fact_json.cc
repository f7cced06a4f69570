#include "coordinator/core/fact_json.h"

#include <nlohmann/json.hpp>

namespace emend::coordinator::core {

std::string FactToJson(const storage::objects::Fact& fact) {
  using storage::objects::FactKind;
  using storage::objects::Lookup;
  nlohmann::ordered_json json;
  if (!fact.id.empty()) json["id"] = fact.id;
  json["prompt"] = fact.prompt;
  json["subject"] = fact.subject;
  json["target"] = fact.target;
  if (fact.old_target) json["old_target"] = *fact.old_target;
  if (!fact.relation.empty()) json["relation"] = fact.relation;
  if (!fact.language.empty()) json["language"] = fact.language;
  if (!fact.paraphrases.empty()) json["paraphrases"] = fact.paraphrases;
  if (!fact.neighbours.empty()) json["neighbours"] = fact.neighbours;
  if (!fact.portability.empty()) json["portability"] = fact.portability;
  if (fact.lookup != Lookup::kSubjectLast)
    json["lookup"] = fact.lookup == Lookup::kLast ? "last" : "span";
  static constexpr const char* kKinds[] = {"", "replace", "insert", "refuse", "forget"};
  if (fact.kind != FactKind::kReplace) json["kind"] = kKinds[static_cast<int>(fact.kind)];
  return json.dump();
}

}  // namespace emend::coordinator::core
