// What commits that are solved together will do, decided before anything is solved: which facts are
// new, which supersede held ones, which are held already.
//
// A fact on a slot (subject, relation or prompt, language) that an active edit holds takes that
// edit's place: the old edit leaves in the same commit, and the solve sees the state without it.
// The same fact with the same target again is skipped unless forced. `stack` keeps the old edit
// beside the new one.
#pragma once

#include <string>
#include <vector>

#include "storage/history/repository.h"

namespace emend::coordinator::operations {

inline constexpr std::size_t kEarlierMax = 50;

// What one of the requests does.
struct MemberPlan {
  std::vector<storage::objects::Fact> facts;  // to be solved
  std::vector<std::size_t> rows;              // their places in the request, from 1
  std::vector<EditId> superseded;             // leave the set; sorted
  std::vector<storage::objects::Fact> held;   // already, with the same target
  std::vector<std::size_t> held_rows;
  std::size_t duplicates = 0;  // said more than once
};

// What messages call a fact of a request: its JSON pointer, "/facts/3".
std::string FactName(std::size_t place);

struct CommitPlan {
  CommitId head;
  storage::objects::Commit parent;
  StateId solve_state;              // the parent's without anything that is superseded
  std::vector<MemberPlan> members;  // one a request, in its order
  // a sample of what the branch holds, without what is superseded; kEarlierMax at most
  std::vector<storage::objects::Fact> earlier;

  std::size_t fact_count() const;
};

// What a commit asks for.
struct WantedFacts {
  const std::vector<storage::objects::Fact>* facts = nullptr;
  bool force = false;  // those again that are held already with the same target
  bool stack = false;  // keep the edits that hold the same slots
};

// Reads the commit and its active edits; puts the solve state into `staging` if it is a new
// one. kConflict ("slot_conflict") if two facts of one request want one slot to
// say different things; kFailedPrecondition ("edit_not_separable") if a held slot belongs to an
// edit of several facts. Blocks. REQUIRES: no two of `wanted` are
// about the same slot.
Result<CommitPlan> PlanCommits(const storage::history::Repository& repository, const CommitId& head,
                               const std::vector<WantedFacts>& wanted,
                               storage::kv::WriteBatch& staging);

}  // namespace emend::coordinator::operations
