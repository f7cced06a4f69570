// A batch: facts on their way from a plan over a solve to staged states, and what was measured of
// them. What commits, refits and tries of tuning have in common.
//
//   Batch batch{.context = &context, .operation = id, .control = control,
//               .repository = repository, .asked = settings};
//   EMEND_RETURN_IF_ERROR(PlanBatch(batch, head, wanted));  // on the pool
//   WorkerSession session(context, batch.repository, control);
//   EMEND_CO_RETURN_IF_ERROR(co_await RunBatch(&batch, &session));
//
// Nobody sees what is staged until a commit points to it. Solved again, with other settings, it
// holds what came of them instead; what was measured on the parent stays. Lives in the job's
// coroutine; errors are those of the session's calls. Internal to coordinator/operations.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "coordinator/operations/commit_evidence.h"
#include "coordinator/operations/commit_plan.h"
#include "coordinator/operations/commit_stage.h"
#include "coordinator/operations/operation.h"
#include "coordinator/store/statistics_table.h"
#include "worker/protocol/solve_settings.h"

namespace emend::coordinator::operations {

struct Batch {
  JobContext* context = nullptr;
  OperationId operation;  // whose files beside the store it uses
  JobControl control;
  Repository repository;
  CommitPlan plan = {};
  worker::protocol::SettingsRequest asked = {};
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

double SecondsBetween(SteadyTime from, SteadyTime to);
std::vector<std::int32_t> LayerNumbers(const std::vector<LayerIndex>& layers);

// Reads what the commit `head` holds, plans, and stages the state to solve on. Errors as
// PlanCommits. Blocks.
Status PlanBatch(Batch& batch, const CommitId& head, const std::vector<WantedFacts>& wanted);

// All of it, on the session's worker: settings resolved, templates that nobody gave, statistics,
// the parent measured, solved, staged, compared with the independent rebuild, the result measured.
// REQUIRES: the plan has facts. Reason::kLiveBytesDiffer if the worker does not serve what the
// rebuild says: nothing may be committed then.
Awaitable<Status> RunBatch(Batch* batch, WorkerSession* session);

// Its parts, for what goes another way.

// The method's defaults for a model of this depth, the repo's preset, and what the request sets: a
// later one wins. Blocks.
Result<worker::protocol::SolveSettings> ResolveWithPreset(worker::protocol::SettingsRequest request,
                                                          const Repository& repository,
                                                          std::int64_t layer_count);
// As the published code: templates that nobody gave are made up by the unedited model.
Awaitable<Status> SampleTemplates(Batch* batch, WorkerSession* session);
// Of the settings' layers; none for a method that goes by gradients. kFailedPrecondition
// ("no_statistics").
Awaitable<Status> FindBatchStatistics(Batch* batch);
// REQUIRES: settings, with their templates, and statistics.
Awaitable<Status> SolveBatch(Batch* batch, WorkerSession* session);

enum class On { kParent, kResult };
// Nothing if the batch is not measured.
Awaitable<Status> MeasureBatch(Batch* batch, WorkerSession* session, On on);

}  // namespace emend::coordinator::operations
