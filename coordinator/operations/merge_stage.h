// Merges staged and measured: what a merge would give, before it is one. Internal to
// coordinator/operations.
#pragma once

#include <array>
#include <string>
#include <utility>
#include <vector>

#include "coordinator/operations/commit_evidence.h"
#include "coordinator/operations/commit_plan.h"
#include "coordinator/operations/operation.h"
#include "coordinator/review/probes.h"
#include "coordinator/review/standing.h"
#include "storage/history/merge.h"

namespace emend::coordinator::operations {

// The commit of a merge of heads (into, from), without a message; its state is staged. Blocks.
// Errors as StageState.
Result<Commit> StageMerge(JobContext& context, const Repository& repository,
                          const storage::records::Principal& author,
                          const std::pair<CommitId, CommitId>& heads,
                          const storage::history::MergePlan& plan);

// What merging a proposal gives.
struct Candidate {
  review::Standing standing;
  Commit commit;    // without evidence
  CommitPlan plan;  // on the target: members[0] are the facts that come, members[1] those that go
  std::array<std::vector<EditId>, 2> edits;  // of their facts, in their order
  std::vector<review::ProbeSuite> suites;
  Digest suites_digest;
};
// kFailedPrecondition ("not_open"), kConflict ("merge_conflict"): decide on the source branch
// first; "nothing_to_merge". Blocks.
Result<Candidate> StageCandidate(JobContext& context, const Repository& repository,
                                 const storage::records::Operation& operation,
                                 std::uint64_t proposal);

// Asks the session's worker, on the target and on the merge: scores and evidence as of a commit,
// and in words what both answer to the first facts, their paraphrases and their neighbours.
Awaitable<Result<review::Check>> MeasureCandidate(JobContext* context, const Repository* repository,
                                                  const Candidate* candidate, JobControl control);

}  // namespace emend::coordinator::operations
