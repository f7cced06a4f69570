// ShareTargets: the targets of a batch found by several workers, each taking the next piece of the
// facts when it is done with one.
//
//   // none: the solve finds them itself
//   EMEND_CO_ASSIGN_OR_RETURN(solve.targets, co_await ShareTargets({.context = &context, ...}));
//
// Targets are nine tenths of a solve, and facts are independent of each other
// (worker/edit/targets.h). The session's own worker takes part, and those that have nothing to do
// and hold the same base or none (WorkerPool::Spare). A piece whose worker is lost is taken by
// another. Used on the executor.
#pragma once

#include <vector>

#include "coordinator/operations/operation.h"

namespace emend::coordinator::operations {

inline constexpr std::size_t kPieceFactsMin = 8;
inline constexpr std::size_t kPieceFactsMax = 64;

struct TargetShare {
  JobContext* context = nullptr;
  const storage::history::Repository* repository = nullptr;
  WorkerSession* session = nullptr;  // the batch's own
  JobControl control;
  worker::protocol::OptimiseTargets request;
};

// In the order of the facts; none where sharing does not pay (one worker, few facts) or where a
// piece was refused: the solve says why, of the whole batch. The failures are those of the
// session's own worker, lost or cancelled.
Awaitable<Result<std::vector<worker::protocol::SolvedTarget>>> ShareTargets(TargetShare share);

}  // namespace emend::coordinator::operations
