// Staging a solved batch: payloads, edits, the new state and its manifest, written unsynced before
// the commit that will point to them.
//
// Nothing refers to staged records until a commit does, and that commit's synced batch makes them
// durable with it. Blocks; runs on the pool.
#pragma once

#include <string>
#include <vector>

#include "coordinator/operations/commit_plan.h"
#include "coordinator/operations/operation.h"
#include "storage/objects/edit.h"
#include "worker/protocol/messages.h"

namespace emend::coordinator::operations {

struct StagedState {
  StateId state;
  std::vector<EditId> edits;  // of the member's facts, in their order
  std::vector<EditId> added;  // the same, sorted
  storage::objects::Manifest manifest;
};

struct SolvedBatch {
  const CommitPlan& plan;
  const std::string& method;
  const worker::protocol::SolveReply& reply;
};

// The facts of the plan, member by member, with the columns of the reply, one edit a fact: a state
// for each member on that of the one before, which it is itself for a member without facts.
// kDataLoss if a payload does not decode; kResourceExhausted ("ledger_overflow") and
// kFailedPrecondition
// ("non_finite_weight") if a new state cannot be served. Failpoints: commit.payloads_staged,
// commit.state_staged.
Result<std::vector<StagedState>> StageSolved(JobContext& context,
                                             const storage::history::Repository& repository,
                                             const SolvedBatch& solved);

// The state parent − removed + added of edits that are stored already, with its manifest (rebuilt
// unless it is known).
Result<StagedState> StageState(JobContext& context, const storage::history::Repository& repository,
                               const StateId& parent, const std::vector<EditId>& added,
                               const std::vector<EditId>& removed);

// Every payload of these edits is in the store. kUnavailable ("staging_lost") if one is not: staged
// writes are not synced, and a store that had to reopen itself may have dropped them. Called inside
// the committing transaction; the queue then runs the job again.
Status CheckStaged(const storage::history::Repository& repository,
                   const std::vector<EditId>& added);

}  // namespace emend::coordinator::operations
