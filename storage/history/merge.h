// Merges: what two lines of history come to together. Reads only what differs between them.
//
//   EMEND_ASSIGN_OR_RETURN(MergePlan plan, PlanMerge(repo, head, theirs, {}));
//   if (plan.conflicts.empty()) DeriveState(batch, head_state, plan.added, plan.removed);
//
// merged = ancestor − removed(ours) − removed(theirs) + added(ours) + added(theirs): what one side
// took out stays out. Thread-safe; blocks on the disk.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <vector>

#include "storage/history/repository.h"

namespace emend::storage::history {

// The best common ancestor: one that no other common ancestor descends from; of several, the
// newest, then that of the smallest id. kFailedPrecondition if they share no history. Reads the
// commits since then, and where clocks ran backwards perhaps more.
Result<CommitId> MergeBase(const Repository& repo, const CommitId& a, const CommitId& b);

// What `from` has come from, itself included, and `known` has not. In no order. Reads the commits
// since the two parted; where a clock ran backwards there, some that both have may be among them.
Result<std::vector<NumberedCommit>> CommitsBeyond(const Repository& repo, const CommitId& from,
                                                  const CommitId& known);

// Both sides have put an edit into one slot since they parted, with different targets.
struct SlotConflict {
  objects::Slot slot;
  EditId ours;
  EditId theirs;
};
enum class Side : std::uint8_t { kOurs, kTheirs, kBoth };

enum class MergeKind : std::uint8_t {
  kUpToDate,     // ours has all of theirs
  kFastForward,  // theirs has all of ours
  kMerge,
};

struct MergePlan {
  MergeKind kind = MergeKind::kMerge;
  CommitId ancestor;
  // against ours; sorted
  std::vector<EditId> added;
  std::vector<EditId> removed;
  // that nobody has decided, by slot
  std::vector<SlotConflict> conflicts;
};

// Whose edit stays where both have put one into a slot; what is not in `decided`, by the id of
// either edit, goes by `otherwise`, and is a conflict where that is none either.
struct Decisions {
  std::map<EditId, Side> decided = {};
  std::optional<Side> otherwise = {};
};

// Where both say the same of a slot, ours stays. `ours` and `theirs` are commits.
Result<MergePlan> PlanMerge(const Repository& repo, const CommitId& ours, const CommitId& theirs,
                            const Decisions& decisions);

}  // namespace emend::storage::history
