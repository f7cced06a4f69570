#include "coordinator/operations/batch_outcome.h"

#include <nlohmann/json.hpp>
#include <string>

#include "coordinator/operations/measures.h"

namespace emend::coordinator::operations {
namespace {

using nlohmann::ordered_json;
using worker::protocol::SolveSettings;

bool IsSolved(const Batch& run, std::size_t member) {
  return !run.plan.members[member].facts.empty();
}

template <typename Value>
void PutJson(nlohmann::json& json, const Value& value) {
  json = value;
}
void PutJson(nlohmann::json& json, const std::vector<LayerIndex>& layers) {
  json = LayerNumbers(layers);
}

// In canonical form: keys in order, numbers in shortest form, templates included; and what a word
// ("auto") came to, layer by layer.
nlohmann::json SettingsJson(const Batch& run) {
  const SolveSettings& settings = run.settings;
  nlohmann::json json;
  json["method"] = settings.method;
  for (const worker::protocol::Setting& setting : worker::protocol::Settings())
    std::visit([&](auto field) { PutJson(json[std::string(setting.name)], settings.*field); },
               setting.field);
  json["context_templates"] = settings.context_templates;
  if (settings.mom2_update_weight == 0) {
    json["mom2_update_weight"] = "auto";
    for (const auto& layer : run.solved.layers) json["mom2_update_weights"].push_back(layer.weight);
  }
  return json;
}

// By phase; one that was not: 0.
ordered_json SecondsJson(const std::map<std::string, double>& seconds) {
  ordered_json json;
  for (const char* name : {"total", "targets", "keys", "solve", "apply", "evaluate", "store"}) {
    const auto found = seconds.find(name);
    json[name] = found == seconds.end() ? 0.0 : Milliseconds(found->second);
  }
  return json;
}

ordered_json LayersJson(const Batch& run) {
  ordered_json json = ordered_json::array();
  for (const auto& layer : run.solved.layers) {
    auto& report = json.emplace_back(ordered_json{{"layer", layer.layer},
                                                  {"tensor", layer.tensor},
                                                  {"update_norm", layer.update_norm},
                                                  {"weight_norm", layer.weight_norm},
                                                  {"leverage", layer.leverage},
                                                  {"mom2_update_weight", layer.weight}});
    if (layer.experts > 0)
      report["experts"] = {{"count", layer.experts},
                           {"changed", layer.experts_changed},
                           {"frozen", layer.experts_frozen}};
  }
  return json;
}

ordered_json EvaluationJson(const Batch& run, std::size_t member) {
  ordered_json json = ordered_json::object();
  if (!run.is_measured) return json;
  const MemberMeasures& measures = run.measures.members[member];
  json["before"] = MeasuresJson(ToEvaluation(*measures.before));
  json["after"] = MeasuresJson(ToEvaluation(*measures.after));
  return json;
}

}  // namespace

ordered_json EvidenceOf(const Batch& run, std::size_t member) {
  static const std::vector<EditId> kNone;
  const std::vector<EditId>& edits = IsSolved(run, member) ? run.staged[member].edits : kNone;
  return EvidenceJson(run.plan.members[member], edits, run.measures, member);
}

Commit CommitOf(const Batch& run, std::size_t member, const CommitId& parent,
                const storage::records::Principal& author) {
  Commit commit = NewCommit(*run.context, storage::objects::CommitKind::kEdit, {parent}, author);
  commit.base = run.repository.record().base;
  commit.state = run.staged[member].state;
  commit.added = run.staged[member].added;
  commit.removed = run.plan.members[member].superseded;
  commit.settings = SettingsJson(run).dump();
  commit.seed = run.settings.seed;
  commit.statistics = run.statistics.id;
  if (!run.is_measured) return commit;
  const MemberMeasures& measures = run.measures.members[member];
  commit.before = ToEvaluation(*measures.before);
  commit.after = ToEvaluation(*measures.after);
  commit.evidence = EvidenceOf(run, member).dump();
  return commit;
}

void AddSolved(const Batch& run, std::size_t member, ordered_json& json) {
  const bool is_solved = IsSolved(run, member);
  json["seconds"] = SecondsJson(is_solved ? run.seconds : std::map<std::string, double>());
  json["evaluation"] = is_solved ? EvaluationJson(run, member) : ordered_json::object();
  json.update(EvidenceOf(run, member));
  json["statistics"] = nullptr;
  json["settings"] = nullptr;
  json["layers"] = ordered_json::array();
  if (!is_solved) return;
  if (!run.statistics.id.empty())
    json["statistics"] = {{"id", run.statistics.id}, {"tokens", run.statistics.tokens}};
  json["settings"] = SettingsJson(run);
  json["layers"] = LayersJson(run);
}

}  // namespace emend::coordinator::operations
