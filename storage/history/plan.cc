#include <algorithm>
#include <functional>
#include <iterator>
#include <ranges>
#include <set>
#include <string>
#include <utility>

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

// The newest first, among those that `changed` has any of the ids of: "4587cbc858db, 65f9def4dec0".
std::string NamesOf(const std::vector<NumberedCommit>& commits, const Ids& ids,
                    Ids objects::Commit::* changed) {
  constexpr std::size_t kNamesMax = 3;
  std::vector<std::string> names;
  for (const auto& [id, commit] : commits) {
    if (!Kept(ids, commit.*changed).empty()) names.push_back(id.Short());
  }
  std::string text;
  for (std::size_t i = 0; i < std::min(names.size(), kNamesMax); ++i)
    text += (i == 0 ? "" : ", ") + names[i];
  if (names.size() > kNamesMax)
    text += " and " + std::to_string(names.size() - kNamesMax) + " more";
  return text;
}

// All that the head has come from, newest first. Costs two reads for each commit.
Result<std::vector<NumberedCommit>> HistoryOf(const Repository& repo, const CommitId& head) {
  EMEND_ASSIGN_OR_RETURN(const CommitGraph graph, ReachableFrom(repo.objects(), {head}));
  std::vector<NumberedCommit> history;
  for (const auto& [id, links] : graph) {
    EMEND_ASSIGN_OR_RETURN(objects::Commit commit, repo.ReadCommit(id));
    history.push_back({id, std::move(commit)});
  }
  std::ranges::stable_sort(history, std::greater<>{},
                           [](const NumberedCommit& one) { return one.commit.time_ms; });
  return history;
}

// Who took out what the commit added: "superseded by 4587cbc858db", "taken out by ...".
std::string WhoTookOut(const std::vector<NumberedCommit>& history, const Ids& added) {
  std::vector<NumberedCommit> edits;
  std::vector<NumberedCommit> others;
  for (const NumberedCommit& one : history)
    (one.commit.kind == objects::CommitKind::kEdit ? edits : others).push_back(one);
  const std::string superseding = NamesOf(edits, added, &objects::Commit::removed);
  const std::string taking = NamesOf(others, added, &objects::Commit::removed);
  return (superseding.empty() ? "" : ", superseded by " + superseding) +
         (taking.empty() ? "" : ", taken out by " + taking);
}

// Why a revert would change nothing, with the commits that made it so.
Result<std::string> WhyNothing(const Repository& repo, const Ref& branch, const CommitId& commit,
                               const objects::Commit& undone, const RevertPlan& plan) {
  EMEND_ASSIGN_OR_RETURN(const auto history, HistoryOf(repo, branch.commit));
  if (std::ranges::find(history, commit, &NumberedCommit::id) == history.end())
    return "it is not in " + branch.name + "'s history";
  if (undone.parents.empty()) {
    return "it is the import, which added no edits; to go back to it: emend reset " +
           repo.record().name.value() + "@" + branch.name + " " + commit.Short();
  }
  std::string why = undone.added.empty() ? "it added no edits"
                                         : "none of the edits it added are active" +
                                               WhoTookOut(history, undone.added);
  if (!plan.blocked.empty()) {
    why += ", and what it took out cannot go back: what it was about is held by " +
           NamesOf(history, plan.holders, &objects::Commit::added);
  }
  return why;
}

// Parts what could go back in from what an edit that stays has taken the slot of.
Status Restore(const Repository& repo, const Ids& candidates, const StateId& head,
               RevertPlan& plan) {
  if (candidates.empty()) return OkStatus();
  EMEND_ASSIGN_OR_RETURN(const SlotHolders holders, HeldSlots(repo, head));
  const auto stays = [&](const EditId& holder) {
    return !std::ranges::binary_search(plan.removed, holder);
  };
  for (const EditId& id : candidates) {
    EMEND_ASSIGN_OR_RETURN(const std::set<objects::Slot> slots, SlotsOf(repo, id));
    bool is_blocked = false;
    for (const objects::Slot& slot : slots) {
      const auto [first, last] = holders.equal_range(slot);
      for (const auto& [held, holder] : std::ranges::subrange(first, last)) {
        if (!stays(holder)) continue;
        is_blocked = true;
        plan.holders.push_back(holder);
      }
    }
    (is_blocked ? plan.blocked : plan.added).push_back(id);
  }
  std::ranges::sort(plan.holders);
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

Result<RevertPlan> PlanRevert(const Repository& repo, const Ref& branch, const CommitId& commit) {
  EMEND_ASSIGN_OR_RETURN(const objects::Commit onto, repo.ReadCommit(branch.commit));
  EMEND_ASSIGN_OR_RETURN(const objects::Commit undone, repo.ReadCommit(commit));
  EMEND_ASSIGN_OR_RETURN(const Ids active, repo.Edits(onto.state));
  RevertPlan plan;
  plan.removed = Kept(undone.added, active);
  EMEND_RETURN_IF_ERROR(Restore(repo, DiffOf(active, undone.removed).added, onto.state, plan));
  if (!plan.removed.empty() || !plan.added.empty()) return plan;
  EMEND_ASSIGN_OR_RETURN(const std::string why, WhyNothing(repo, branch, commit, undone, plan));
  return Status(StatusCode::kFailedPrecondition, "nothing_to_revert",
                "reverting commit " + commit.Short() + " on " + branch.commit.Short() + ": " + why);
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
