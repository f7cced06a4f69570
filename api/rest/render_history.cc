#include "api/rest/render.h"
#include "coordinator/core/requests.h"

namespace emend::api::rest {
namespace {

using coordinator::server::FactChange;

Json RenderEvaluation(const std::optional<storage::objects::Evaluation>& evaluation) {
  if (!evaluation) return nullptr;
  return {{"n", evaluation->records},
          {"es", evaluation->es},
          {"ps", evaluation->ps},
          {"ns", evaluation->ns},
          {"score", evaluation->score},
          {"es_argmax", evaluation->es_argmax},
          {"ps_argmax", evaluation->ps_argmax},
          {"ns_argmax", evaluation->ns_argmax}};
}

Json RenderFact(const storage::objects::Fact& fact) {
  return Json::parse(coordinator::core::FactToJson(fact), nullptr, /*allow_exceptions=*/false);
}

Json RenderEdit(const coordinator::server::ShownEdit& shown) {
  Json facts = Json::array();
  for (const auto& fact : shown.edit.facts) facts.push_back(RenderFact(fact));
  return {{"edit", shown.id.Hex()},
          {"method", shown.edit.method},
          {"solved_on", shown.edit.solved_on.Hex()},
          {"facts", std::move(facts)}};
}

Json RenderEdits(const std::vector<coordinator::server::ShownEdit>& edits) {
  Json list = Json::array();
  for (const auto& edit : edits) list.push_back(RenderEdit(edit));
  return list;
}

const char* ChangeName(FactChange::Kind kind) {
  switch (kind) {
    case FactChange::Kind::kAdded: return "added";
    case FactChange::Kind::kRemoved: return "removed";
    case FactChange::Kind::kChanged: return "changed";
  }
  return "";
}

}  // namespace

Json RenderCommit(const storage::history::NumberedCommit& numbered) {
  const storage::objects::Commit& commit = numbered.commit;
  Json parents = Json::array();
  for (const CommitId& parent : commit.parents) parents.push_back(parent.Hex());
  return {{"commit", numbered.id.Hex()},
          {"state", commit.state.Hex()},
          {"kind", storage::objects::CommitKindName(commit.kind)},
          {"parents", std::move(parents)},
          {"base", commit.base.Hex()},
          {"author", commit.author},
          {"token_id", commit.token_id},
          {"time", RenderTime(commit.time_ms)},
          {"message", commit.message},
          {"added_count", commit.added.size()},
          {"removed_count", commit.removed.size()},
          {"before", RenderEvaluation(commit.before)},
          {"after", RenderEvaluation(commit.after)}};
}

Json RenderShownCommit(const coordinator::server::ShownCommit& shown) {
  const storage::objects::Commit& commit = shown.commit.commit;
  Json json = RenderCommit(shown.commit);
  json["settings"] = commit.settings.empty()
                         ? Json()
                         : Json::parse(commit.settings, nullptr, /*allow_exceptions=*/false);
  json["seed"] = std::to_string(commit.seed);  // 64 bits: more than a JSON number keeps
  json["statistics"] = commit.statistics.empty() ? Json() : Json(commit.statistics);
  json["added"] = RenderEdits(shown.added);
  json["removed"] = RenderEdits(shown.removed);
  return json;
}

Json RenderDiff(const coordinator::server::DiffReport& report) {
  Json facts = Json::array();
  for (const FactChange& change : report.facts) {
    facts.push_back({{"kind", ChangeName(change.kind)},
                     {"edit", change.edit.Hex()},
                     {"fact", RenderFact(change.fact)},
                     {"other_target", change.other_target ? Json(*change.other_target) : Json()}});
  }
  Json tensors = Json::array();
  for (const auto& tensor : report.tensors) {
    tensors.push_back({{"tensor", tensor.tensor},
                       {"elements", tensor.elements},
                       {"changed", tensor.changed},
                       {"difference_norm", tensor.difference_norm},
                       {"weight_norm", tensor.weight_norm}});
  }
  return {{"from", RenderCommit(report.from)},
          {"to", RenderCommit(report.to)},
          {"facts", std::move(facts)},
          {"tensors", std::move(tensors)}};
}

}  // namespace emend::api::rest
