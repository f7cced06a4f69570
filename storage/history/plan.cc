#include <algorithm>
#include <iterator>
#include <set>

#include "storage/history/set_algebra.h"
#include "storage/history/walk.h"

namespace emend::storage::history {
namespace {

using Ids = std::vector<EditId>;

Ids Kept(const Ids& ids, const Ids& in) {
  Ids out;
  std::set_intersection(ids.begin(), ids.end(), in.begin(), in.end(), std::back_inserter(out));
  return out;
}

// Commits that others of the graph name as a parent.
std::set<CommitId> ParentsIn(const CommitGraph& graph) {
  std::set<CommitId> parents;
  for (const auto& [id, links] : graph) parents.insert(links.parents.begin(), links.parents.end());
  return parents;
}

Result<std::set<objects::Slot>> SlotsOf(const Repository& repo, const EditId& id) {
  EMEND_ASSIGN_OR_RETURN(const objects::Edit edit, repo.objects().ReadEdit(id));
  std::set<objects::Slot> slots;
  for (const objects::Fact& fact : edit.facts) slots.insert(objects::SlotOf(fact));
  return slots;
}

// Parts what could go back in from what an edit that stays has taken the slot of.
Status Restore(const Repository& repo, const Ids& candidates, const StateId& head,
               RevertPlan& plan) {
  if (candidates.empty()) return OkStatus();
  EMEND_ASSIGN_OR_RETURN(const SlotHolders holders, HeldSlots(repo, head));
  const auto stays = [&](const auto& holder) {
    return !std::binary_search(plan.removed.begin(), plan.removed.end(), holder.second);
  };
  for (const EditId& id : candidates) {
    EMEND_ASSIGN_OR_RETURN(const std::set<objects::Slot> slots, SlotsOf(repo, id));
    const bool is_blocked = std::any_of(slots.begin(), slots.end(), [&](const objects::Slot& slot) {
      const auto [first, last] = holders.equal_range(slot);
      return std::any_of(first, last, stays);
    });
    (is_blocked ? plan.blocked : plan.added).push_back(id);
  }
  return OkStatus();
}

}  // namespace

Result<CommitId> MergeBase(const Repository& repo, const CommitId& a, const CommitId& b) {
  EMEND_ASSIGN_OR_RETURN(const CommitGraph from_a, ReachableFrom(repo.objects(), {a}));
  EMEND_ASSIGN_OR_RETURN(const CommitGraph from_b, ReachableFrom(repo.objects(), {b}));
  CommitGraph common;
  std::set_intersection(
      from_a.begin(), from_a.end(), from_b.begin(), from_b.end(),
      std::inserter(common, common.end()),
      [](const auto& left, const auto& right) { return left.first < right.first; });
  // Ancestors of a common ancestor are common too, so one is best unless another names it as a
  // parent.
  const std::set<CommitId> parents = ParentsIn(common);
  const std::pair<const CommitId, CommitLinks>* best = nullptr;
  for (const auto& entry : common) {
    if (!parents.contains(entry.first) && (!best || entry.second.time_ms > best->second.time_ms))
      best = &entry;
  }
  if (!best)
    return NotFound("looking for a common ancestor of commits " + a.Short() + " and " + b.Short() +
                    ": they share no history");
  return best->first;
}

Result<RevertPlan> PlanRevert(const Repository& repo, const CommitId& head,
                              const CommitId& commit) {
  EMEND_ASSIGN_OR_RETURN(const objects::Commit onto, repo.ReadCommit(head));
  EMEND_ASSIGN_OR_RETURN(const objects::Commit undone, repo.ReadCommit(commit));
  EMEND_ASSIGN_OR_RETURN(const Ids active, repo.Edits(onto.state));
  RevertPlan plan;
  plan.removed = Kept(undone.added, active);
  EMEND_RETURN_IF_ERROR(Restore(repo, DiffOf(active, undone.removed).added, onto.state, plan));
  if (!plan.removed.empty() || !plan.added.empty()) return plan;
  const std::string blocked =
      plan.blocked.empty()
          ? ""
          : ", and what it took out cannot go back because newer edits hold its slots";
  return Status(
      StatusCode::kFailedPrecondition, "nothing_to_revert",
      "reverting commit " + commit.Short() + " on " + head.Short() + ": " +
          (undone.added.empty() ? "it added no edits" : "none of the edits it added are active") +
          blocked);
}

Result<SlotHolders> HeldSlots(const Repository& repo, const StateId& state) {
  EMEND_ASSIGN_OR_RETURN(const Ids ids, repo.Edits(state));
  SlotHolders holders;
  for (const EditId& id : ids) {  // sorted, so that holders of one slot are
    EMEND_ASSIGN_OR_RETURN(const std::set<objects::Slot> slots, SlotsOf(repo, id));
    for (const objects::Slot& slot : slots) holders.emplace(slot, id);
  }
  return holders;
}

}  // namespace emend::storage::history
