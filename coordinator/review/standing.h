// Standing: how a proposal stands now, worked out from what is stored: what it would change, who
// made that, who has approved it, what was measured, and what still keeps it from being merged.
//
// A revision is what merging the source branch would change in the target: the edits that would
// come and go, on this base. Approvals count for their revision alone; measurements for the two
// heads that they were made of. Blocks; thread-safe.
#pragma once

#include <optional>
#include <set>
#include <string>
#include <vector>

#include "coordinator/review/records.h"
#include "storage/history/merge.h"
#include "storage/history/protection.h"

namespace emend::coordinator::review {

using storage::history::Protection;
using storage::history::Repository;

struct Revision {
  Digest id;
  CommitId source;  // heads
  CommitId target;
  storage::history::MergePlan plan;  // of source into target
  // everybody who had a hand in it: who opened the proposal, made its commits, or moved its branch
  std::set<std::string> makers;
};
// kFailedPrecondition ("no_branch") if a branch is not there any more.
Result<Revision> ReadRevision(const Repository& repository, const Proposal& proposal);

// Why it cannot be merged.
enum class Block : std::uint8_t {
  kNotOpen,
  kNoBranch,
  kNothingToMerge,
  kConflicts,
  kChangesRequested,
  kApprovals,
  kRequirements
};
std::string_view BlockName(Block block);
struct Blocker {
  Block block = Block::kNotOpen;
  std::string message;
};

struct Standing {
  Proposal proposal;
  // none: it is over, or a branch is not there any more
  std::optional<Revision> revision;
  std::vector<Review> reviews;  // oldest first
  std::optional<Check> check;
  bool is_check_current = false;   // of these heads, by the probes that there are now
  std::optional<Protection> rule;  // of the target
  // whose last word counts: an approval of this revision; a request that was not taken back
  std::vector<std::string> approvers;  // none of the makers
  std::vector<std::string> objectors;
  // empty: it can be merged
  std::vector<Blocker> blockers;
};

// kNotFound if there is no such proposal.
Result<Proposal> ReadProposal(const Repository& repository, std::uint64_t number);
Result<Standing> ReadStanding(const Repository& repository, std::uint64_t number);

// kFailedPrecondition ("not_mergeable") naming all blockers.
Status CheckMergeable(const Standing& standing);
// kFailedPrecondition ("requirement_not_met") if what was measured is less than the rule requires.
Status CheckMeasured(const std::optional<Protection>& rule, const Check& check);

}  // namespace emend::coordinator::review
