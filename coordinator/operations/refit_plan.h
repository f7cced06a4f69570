// A refit before anything is solved: which facts of a branch are solved again, from the targets
// that were stored with their edits, by which settings.
//
// Everything is solved in one batch on the unedited base, so that nothing is left of what is taken
// out, and no edit pays for those that came after it. Blocks; runs on the pool.
#pragma once

#include <string>
#include <vector>

#include "coordinator/operations/commit_plan.h"
#include "worker/protocol/messages.h"

namespace emend::coordinator::operations {

struct RefitPlan {
  // One member; all edits of the head are superseded; `earlier`: the facts that are taken out.
  CommitPlan plan;
  std::vector<worker::protocol::SolvedTarget> targets;  // in the order of its facts
  LayerIndex target_layer;                     // that they were found in, and must be solved for
  worker::protocol::SettingsRequest settings;  // as the newest commit on the branch was solved
  StateId subtracted;           // the head's without what is taken out, as it was solved
  std::vector<EditId> blocked;  // not put back: a newer edit holds their slot (RevertPlan)
};

// `without`: the commit to be reverted, or empty. kNotFound (branch, commit); kFailedPrecondition:
// "nothing_to_refit" for a branch without edits or where none would be left (revert that),
// "nothing_to_revert" as PlanRevert, "edit_not_separable" for an edit of several facts, "no_target"
// for one that a method without targets solved, "mixed_target_layers" if targets were found in
// different layers.
Result<RefitPlan> PlanRefit(const Repository& repository, const std::string& branch,
                            const std::string& without, storage::kv::WriteBatch& staging);

}  // namespace emend::coordinator::operations
