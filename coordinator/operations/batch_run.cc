#include "coordinator/operations/batch_run.h"

#include <chrono>
#include <utility>

#include "coordinator/operations/live_check.h"
#include "coordinator/operations/past_keys.h"
#include "coordinator/operations/target_share.h"
#include "storage/base/reason.h"

namespace emend::coordinator::operations {
namespace {

using storage::objects::Fact;

worker::protocol::Solve SolveRequestOf(const BatchRun& run) {
  worker::protocol::Solve request;
  request.base = run.repository.record().base;
  request.state = run.plan.solve_state;
  request.settings = run.settings;
  request.statistics_file = run.context->layout.statistics_file(run.statistics.id);
  request.targets = run.targets;
  for (const MemberPlan& member : run.plan.members) {
    for (std::size_t i = 0; i < member.facts.size(); ++i) {
      const Fact& fact = member.facts[i];
      request.facts.push_back(
          {fact.prompt, fact.subject, fact.target, fact.join, FactName(member.rows[i] - 1)});
    }
  }
  return request;
}

worker::protocol::OptimiseTargets TargetsOf(const worker::protocol::Solve& solve) {
  return {solve.base, solve.state, solve.settings, solve.facts};
}

// The worker must serve the very bytes that the independent rebuild says the last state has:
// checked before anyone can see a commit.
Awaitable<Status> CheckLiveBytes(BatchRun& run, WorkerSession& session) {
  const StagedState& last = run.staged.back();
  auto faults =
      co_await CheckLive(run.context, &session, &run.repository, last.state, last.manifest.roots);
  const std::string doing = "committing state " + last.state.Short() + ": nothing was committed; ";
  if (ReasonOf(faults.status()) == Reason::kLiveBytesDamaged)
    co_return Failure(Reason::kLiveBytesDiffer, doing + faults.status().message());
  EMEND_CO_RETURN_IF_ERROR(faults.status());
  if (faults->empty()) co_return OkStatus();
  co_return Failure(Reason::kLiveBytesDiffer, doing + "live tensor \"" + faults->begin()->first +
                                                  "\": " + faults->begin()->second);
}

// None for a solve as published.
Awaitable<Status> WritePastKeys(BatchRun& run, PastKeysFile& past) {
  if (run.settings.past_keys == 0) co_return OkStatus();
  BatchRun* const borrowed = &run;
  co_return co_await Blocking(run.context->runtime, [borrowed, &past] {
    return past.Write(borrowed->repository, borrowed->plan.solve_state);
  });
}

Awaitable<Status> FindTargets(BatchRun& run, WorkerSession& session,
                              worker::protocol::Solve& request) {
  if (!request.targets.empty()) co_return OkStatus();
  const SteadyTime begin = run.Now();
  TargetShare share{.context = run.context,
                    .repository = &run.repository,
                    .session = &session,
                    .control = run.control,
                    .request = TargetsOf(request)};
  EMEND_CO_ASSIGN_OR_RETURN(request.targets, co_await ShareTargets(std::move(share)));
  run.seconds["targets"] += SecondsBetween(begin, run.Now());
  co_return OkStatus();
}

Awaitable<Status> SolveAndStage(BatchRun& run, WorkerSession& session) {
  auto request = SolveRequestOf(run);
  PastKeysFile past(*run.context, run.operation);
  EMEND_CO_RETURN_IF_ERROR(co_await WritePastKeys(run, past));
  request.past_keys_file = past.path();
  EMEND_CO_RETURN_IF_ERROR(co_await FindTargets(run, session, request));
  EMEND_CO_ASSIGN_OR_RETURN(run.solved,
                            co_await session.CallOn<worker::protocol::SolveReply>(
                                run.plan.solve_state, std::move(request), kSolveTimeout));
  for (const auto& [phase, seconds] : run.solved.seconds) run.seconds[phase] += seconds;
  const SteadyTime begin = run.Now();
  BatchRun* const borrowed = &run;
  EMEND_CO_ASSIGN_OR_RETURN(run.staged, co_await Blocking(run.context->runtime, [borrowed] {
                              return StageSolved(
                                  *borrowed->context, borrowed->repository,
                                  {borrowed->plan, borrowed->settings.method, borrowed->solved});
                            }));
  run.seconds["store"] = SecondsBetween(begin, run.Now());
  co_return OkStatus();
}

// As the published code: templates that nobody gave are made up by the unedited model. They are
// kept in the commit, with the seed.
Awaitable<Status> SampleTemplates(BatchRun& run, WorkerSession& session) {
  worker::protocol::SampleTexts request;
  request.base = run.repository.record().base;
  request.prefixes = worker::protocol::TemplatePrefixes();
  request.tokens_max = worker::protocol::kTemplateTokens;
  request.top_k = worker::protocol::kTemplateTopK;
  request.seed = run.settings.seed;
  EMEND_CO_ASSIGN_OR_RETURN(
      const auto reply,
      co_await session.Call<worker::protocol::SampleTextsReply>(std::move(request), kCallTimeout));
  co_return SetContextTemplates(run.settings, worker::protocol::TemplatesFrom(reply.texts));
}

}  // namespace

std::vector<std::int32_t> LayerNumbers(const std::vector<LayerIndex>& layers) {
  std::vector<std::int32_t> numbers;
  for (const LayerIndex layer : layers) numbers.push_back(layer.value());
  return numbers;
}

double SecondsBetween(SteadyTime from, SteadyTime to) {
  return std::chrono::duration<double>(to - from).count();
}

Awaitable<Status> MeasureState(BatchRun& run, WorkerSession& session,
                               std::optional<StateId> result) {
  if (!run.is_measured) co_return OkStatus();
  const SteadyTime begin = run.Now();
  const BaseId base = run.repository.record().base;
  EMEND_CO_RETURN_IF_ERROR(co_await Measure(&session, &run.plan, base, result, &run.measures));
  run.seconds["evaluate"] += SecondsBetween(begin, run.Now());
  co_return OkStatus();
}

Awaitable<Status> RunBatch(BatchRun& run, WorkerSession& session) {
  EMEND_CO_RETURN_IF_ERROR(co_await session.Open(run.plan.solve_state));
  EMEND_CO_ASSIGN_OR_RETURN(run.settings,
                            worker::protocol::ResolveSettings(run.asked, session.model().layers));
  if (run.asked.context_templates.empty()) {
    EMEND_CO_RETURN_IF_ERROR(co_await SampleTemplates(run, session));
  }
  BatchRun* const borrowed = &run;
  EMEND_CO_ASSIGN_OR_RETURN(run.statistics, co_await Blocking(run.context->runtime, [borrowed] {
                              return store::FindStatistics(borrowed->context->store,
                                                           borrowed->repository.record().id,
                                                           LayerNumbers(borrowed->settings.layers));
                            }));
  EMEND_CO_RETURN_IF_ERROR(co_await MeasureState(run, session, std::nullopt));
  EMEND_CO_RETURN_IF_ERROR(co_await SolveAndStage(run, session));
  EMEND_CO_RETURN_IF_ERROR(co_await CheckLiveBytes(run, session));
  co_return co_await MeasureState(run, session, run.staged.back().state);
}

}  // namespace emend::coordinator::operations
