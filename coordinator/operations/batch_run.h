// A batch of facts on its way through one worker: solved, staged, compared with the independent
// rebuild and measured. What commits do, and whatever else solves facts.
//
//   BatchRun batch{.context = input.context, .control = input.control, .operation = id,
//                  .repository = repository, .plan = plan, .asked = settings};
//   WorkerSession session(*batch.context, batch.repository, batch.control);
//   EMEND_CO_RETURN_IF_ERROR(co_await RunBatch(batch, session));
//   // batch.staged.back() is in the store, and nothing refers to it yet
//
// Lives in the job's coroutine. Internal to coordinator/operations.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "coordinator/operations/commit_evidence.h"
#include "coordinator/operations/commit_plan.h"
#include "coordinator/operations/commit_stage.h"
#include "coordinator/operations/operation.h"
#include "coordinator/store/statistics_table.h"
#include "worker/protocol/solve_settings.h"

namespace emend::coordinator::operations {

struct BatchRun {
  JobContext* context = nullptr;
  JobControl control;
  OperationId operation;  // names what it writes for the workers
  Repository repository;
  CommitPlan plan;
  worker::protocol::SettingsRequest asked;
  bool is_measured = true;  // on the parent and on the result
  // of the plan's facts; none: they are found
  std::vector<worker::protocol::SolvedTarget> targets = {};

  // What came of it.
  worker::protocol::SolveSettings settings = {};
  store::StatisticsRecord statistics = {};
  worker::protocol::SolveReply solved = {};
  std::vector<StagedState> staged = {};  // one a member
  BatchMeasures measures = {};
  std::map<std::string, double> seconds = {};

  SteadyTime Now() const { return context->runtime.clock().Now(); }
};

// REQUIRES: the plan has facts. Settings are resolved for the session's model; templates that
// nobody gave are written by it. Failures: those of the session and of the solve;
// kFailedPrecondition
// ("no_statistics"); those of StageSolved; Reason::kLiveBytesDiffer if the worker does not serve
// what the rebuild says: then nothing may be committed.
Awaitable<Status> RunBatch(BatchRun& run, WorkerSession& session);

// Parent (no result) or result, if the run is measured: both are part of RunBatch.
Awaitable<Status> MeasureState(BatchRun& run, WorkerSession& session,
                               std::optional<StateId> result);

std::vector<std::int32_t> LayerNumbers(const std::vector<LayerIndex>& layers);
double SecondsBetween(SteadyTime from, SteadyTime to);

}  // namespace emend::coordinator::operations
