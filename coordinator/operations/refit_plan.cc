#include "coordinator/operations/refit_plan.h"

#include <algorithm>
#include <iterator>
#include <nlohmann/json.hpp>
#include <utility>

#include "storage/delta/payload.h"
#include "storage/history/set_algebra.h"

namespace emend::coordinator::operations {
namespace {

using storage::delta::EditTarget;
using storage::objects::Edit;
using Ids = std::vector<EditId>;

// What the head would hold after the revert. Sorted, as what it is made of is.
Ids After(const storage::history::RevertPlan& revert, const Ids& active) {
  Ids all;
  std::ranges::set_union(storage::history::DiffOf(revert.removed, active).added, revert.added,
                         std::back_inserter(all));
  return all;
}

std::string TextOf(const nlohmann::json& value) {
  if (value.is_string()) return value.get<std::string>();
  if (!value.is_array()) return value.dump();
  std::string list;
  for (const nlohmann::json& item : value) list += (list.empty() ? "" : ",") + item.dump();
  return list;
}

// As a commit records them (batch_outcome.cc).
worker::protocol::SettingsRequest SettingsOf(const std::string& recorded) {
  const nlohmann::json json = nlohmann::json::parse(recorded);
  worker::protocol::SettingsRequest settings;
  settings.method = json.at("method").get<std::string>();
  for (const worker::protocol::Setting& setting : worker::protocol::Settings())
    settings.values.emplace_back(setting.name, TextOf(json.at(std::string(setting.name))));
  json.at("context_templates").get_to(settings.context_templates);
  return settings;
}

// Of the newest commit that solved anything towards targets.
Result<worker::protocol::SettingsRequest> NewestSettings(const Repository& repository,
                                                         Commit commit) {
  while (true) {
    if (!commit.settings.empty()) {
      auto settings = SettingsOf(commit.settings);
      if (worker::protocol::FindsTargets(settings.method)) return settings;
    }
    if (commit.parents.empty()) return worker::protocol::SettingsRequest();
    EMEND_ASSIGN_OR_RETURN(commit, repository.ReadCommit(commit.parents.front()));
  }
}

worker::protocol::SolvedTarget ToMessage(const EditTarget& target) {
  return {
      {reinterpret_cast<const char*>(target.values.data()), target.values.size() * sizeof(float)}};
}

Status CheckHasTarget(const EditId& id, const Edit& edit, const EditTarget& target) {
  if (!target.values.empty()) return OkStatus();
  return {StatusCode::kFailedPrecondition, "no_target",
          "refitting edit " + id.Short() + ": " + edit.method +
              " solved it without a target, from which it could be solved again; commit its fact "
              "by another method (--force), or take the edit out (emend revert)"};
}

Status CheckLayer(const EditId& id, LayerIndex found, LayerIndex expected) {
  if (found == expected) return OkStatus();
  return {StatusCode::kFailedPrecondition, "mixed_target_layers",
          "refitting edit " + id.Short() + ": its target was found in layer " +
              std::to_string(found.value()) + ", that of an edit before it in layer " +
              std::to_string(expected.value()) +
              ": targets of one layer can be solved together; commit these facts again "
              "with the same layers (--force)"};
}

// The facts of `ids`, with their targets.
Status ReadSolved(const Repository& repository, const Ids& ids, RefitPlan& refit) {
  MemberPlan& member = refit.plan.members.front();
  for (const EditId& id : ids) {
    EMEND_ASSIGN_OR_RETURN(Edit edit, repository.objects().ReadEdit(id));
    if (edit.facts.size() != 1) {
      return {StatusCode::kFailedPrecondition, "edit_not_separable",
              "refitting edit " + id.Short() + ": it has " + std::to_string(edit.facts.size()) +
                  " facts in common columns, expected one"};
    }
    EMEND_ASSIGN_OR_RETURN(const std::string stored,
                           repository.objects().ReadPayload(edit.target_object));
    EMEND_ASSIGN_OR_RETURN(const EditTarget target, storage::delta::DecodeEditTarget(stored));
    EMEND_RETURN_IF_ERROR(CheckHasTarget(id, edit, target));
    if (member.facts.empty()) refit.target_layer = target.layer;
    EMEND_RETURN_IF_ERROR(CheckLayer(id, target.layer, refit.target_layer));
    refit.targets.push_back(ToMessage(target));
    member.facts.push_back(std::move(edit.facts.front()));
    member.rows.push_back(member.facts.size());
  }
  return OkStatus();
}

Status ReadTakenOut(const Repository& repository, const Ids& ids, CommitPlan& plan) {
  for (const EditId& id : ids) {
    if (plan.earlier.size() == kEarlierMax) break;
    EMEND_ASSIGN_OR_RETURN(Edit edit, repository.objects().ReadEdit(id));
    plan.earlier.push_back(std::move(edit.facts.front()));
  }
  return OkStatus();
}

}  // namespace

Result<RefitPlan> PlanRefit(const Repository& repository, const std::string& branch,
                            const std::string& without, storage::kv::WriteBatch& staging) {
  RefitPlan refit;
  CommitPlan& plan = refit.plan;
  EMEND_ASSIGN_OR_RETURN(const storage::history::Ref ref,
                         repository.ReadRef(storage::history::RefKind::kBranch, branch));
  plan.head = ref.commit;
  EMEND_ASSIGN_OR_RETURN(plan.parent, repository.ReadCommit(plan.head));
  EMEND_ASSIGN_OR_RETURN(const Ids active, repository.Edits(plan.parent.state));
  storage::history::RevertPlan revert;
  if (!without.empty()) {
    EMEND_ASSIGN_OR_RETURN(const CommitId undone, repository.Resolve(without));
    EMEND_ASSIGN_OR_RETURN(revert, storage::history::PlanRevert(repository, ref, undone));
  }
  refit.blocked = revert.blocked;
  const Ids solved = After(revert, active);
  if (solved.empty()) {
    return Status(StatusCode::kFailedPrecondition, "nothing_to_refit",
                  "refitting " + branch + " at " + plan.head.Short() +
                      ": no edits would be solved" +
                      (without.empty() ? "; the branch has none" : ": emend revert does that"));
  }
  plan.members.emplace_back().superseded = active;
  EMEND_RETURN_IF_ERROR(ReadSolved(repository, solved, refit));
  EMEND_RETURN_IF_ERROR(ReadTakenOut(repository, revert.removed, plan));
  EMEND_ASSIGN_OR_RETURN(refit.settings, NewestSettings(repository, plan.parent));
  EMEND_ASSIGN_OR_RETURN(plan.solve_state,
                         repository.DeriveState(staging, plan.parent.state, {}, active));
  EMEND_ASSIGN_OR_RETURN(refit.subtracted, repository.DeriveState(staging, plan.parent.state,
                                                                  revert.added, revert.removed));
  return refit;
}

}  // namespace emend::coordinator::operations
