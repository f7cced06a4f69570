// What revert and supersede do to sets of edits: pure functions on sorted lists of ids, and the
// plans that read a repo.
//
//   EMEND_ASSIGN_OR_RETURN(RevertPlan plan, PlanRevert(repo, branch, bad_commit));
//   EMEND_ASSIGN_OR_RETURN(StateId state, repo.DeriveState(batch, head_state, plan.added,
//       plan.removed));
//
// A plan writes nothing: it is good for the head it was made for, which Repository::Advance
// compares. Thread-safe; the plans block on the disk.
#pragma once

#include <map>
#include <vector>

#include "storage/history/repository.h"

namespace emend::storage::history {

// to − from and from − to. REQUIRES: both sorted.
objects::EditSetDiff DiffOf(const std::vector<EditId>& from, const std::vector<EditId>& to);

struct RevertPlan {
  // what the commit added and the head still has, or what refits have put in its place
  std::vector<EditId> removed;
  // what the commit took out, the head does not have, and no other edit has taken the slot of
  std::vector<EditId> added;
  // what would go back in, but an edit of the head holds one of its slots
  std::vector<EditId> blocked;
  std::vector<EditId> holders;  // those edits of the head
};
// Takes out what `commit` added (against its first parent) and puts back what it took out, as far
// as the branch's head allows. All lists sorted. kFailedPrecondition ("nothing_to_revert") if that
// is nothing; the message names the commits that made it so. Reads the head's edits when something
// would go back in, and the branch's history when there is nothing to revert.
Result<RevertPlan> PlanRevert(const Repository& repo, const Ref& branch, const CommitId& commit);

// Which active edits hold which slot: one each, more only where edits were stacked; by slot, then
// by id. Reads every edit of the state: keep the result.
using SlotHolders = std::multimap<objects::Slot, EditId>;
Result<SlotHolders> HeldSlots(const Repository& repo, const StateId& state);

}  // namespace emend::storage::history
