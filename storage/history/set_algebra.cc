#include "storage/history/set_algebra.h"

#include <algorithm>
#include <iterator>
#include <limits>
#include <ranges>
#include <set>
#include <string>

namespace emend::storage::history {
namespace {

using Ids = std::vector<EditId>;

Ids Minus(const Ids& a, const Ids& b) {
  Ids out;
  std::set_difference(a.begin(), a.end(), b.begin(), b.end(), std::back_inserter(out));
  return out;
}

Ids Kept(const Ids& ids, const Ids& in) {
  Ids out;
  std::set_intersection(ids.begin(), ids.end(), in.begin(), in.end(), std::back_inserter(out));
  return out;
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
  EMEND_ASSIGN_OR_RETURN(const auto history,
                         repo.Log(branch.commit, std::numeric_limits<std::size_t>::max()));
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

// What an edit says: what says the same after a refit stands for it.
using Said = std::multiset<std::pair<objects::Slot, std::string>>;
Said SaidBy(const objects::Edit& edit) {
  Said said;
  for (const objects::Fact& fact : edit.facts) said.emplace(objects::SlotOf(fact), fact.target);
  return said;
}

// `ids`, with what refits of the branch have put in the place of some of them. Sorted.
Result<Ids> StandingFor(const Repository& repo, const Ref& branch, Ids ids) {
  if (ids.empty()) return ids;
  EMEND_ASSIGN_OR_RETURN(const auto history,
                         repo.Log(branch.commit, std::numeric_limits<std::size_t>::max()));
  for (const auto& [id, commit] : std::ranges::reverse_view(history)) {
    if (commit.kind != objects::CommitKind::kRefit) continue;
    const Ids replaced = Kept(ids, commit.removed);
    if (replaced.empty()) continue;
    std::multimap<Said, EditId> added;
    for (const EditId& one : commit.added) {
      EMEND_ASSIGN_OR_RETURN(const objects::Edit edit, repo.objects().ReadEdit(one));
      added.emplace(SaidBy(edit), one);
    }
    ids = Minus(ids, replaced);
    for (const EditId& one : replaced) {
      EMEND_ASSIGN_OR_RETURN(const objects::Edit edit, repo.objects().ReadEdit(one));
      const auto [first, last] = added.equal_range(SaidBy(edit));
      std::ranges::copy(std::ranges::subrange(first, last) | std::views::values,
                        std::back_inserter(ids));
    }
    std::ranges::sort(ids);
  }
  return ids;
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

objects::EditSetDiff DiffOf(const Ids& from, const Ids& to) {
  return {Minus(to, from), Minus(from, to)};
}

Result<RevertPlan> PlanRevert(const Repository& repo, const Ref& branch, const CommitId& commit) {
  EMEND_ASSIGN_OR_RETURN(const objects::Commit onto, repo.ReadCommit(branch.commit));
  EMEND_ASSIGN_OR_RETURN(const objects::Commit undone, repo.ReadCommit(commit));
  EMEND_ASSIGN_OR_RETURN(const Ids active, repo.Edits(onto.state));
  RevertPlan plan;
  EMEND_ASSIGN_OR_RETURN(const Ids standing,
                         StandingFor(repo, branch, Minus(undone.added, active)));
  std::ranges::set_union(Kept(undone.added, active), Kept(standing, active),
                         std::back_inserter(plan.removed));
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
