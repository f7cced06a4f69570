#include "coordinator/operations/batch.h"

#include <chrono>
#include <optional>
#include <utility>

#include "coordinator/operations/live_check.h"
#include "coordinator/operations/past_keys.h"
#include "coordinator/operations/target_share.h"
#include "coordinator/store/preset.h"
#include "storage/base/reason.h"

namespace emend::coordinator::operations {
namespace {

using storage::objects::Fact;
using worker::protocol::FindsTargets;

worker::protocol::Solve SolveRequestOf(const Batch& batch) {
  worker::protocol::Solve request;
  request.base = batch.repository.record().base;
  request.state = batch.plan.solve_state;
  request.settings = batch.settings;
  if (!batch.statistics.id.empty())
    request.statistics_file = batch.context->layout.statistics_file(batch.statistics.id);
  request.targets = batch.targets;
  for (const MemberPlan& member : batch.plan.members) {
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
Awaitable<Status> CheckLiveBytes(Batch* batch, WorkerSession* session) {
  const StagedState& last = batch->staged.back();
  auto faults = co_await CheckLive(batch->context, session, &batch->repository, last.state,
                                   last.manifest.roots);
  const std::string doing = "committing state " + last.state.Short() + ": nothing was committed; ";
  if (ReasonOf(faults.status()) == Reason::kLiveBytesDamaged)
    co_return Failure(Reason::kLiveBytesDiffer, doing + faults.status().message());
  EMEND_CO_RETURN_IF_ERROR(faults.status());
  if (faults->empty()) co_return OkStatus();
  co_return Failure(Reason::kLiveBytesDiffer, doing + "live tensor \"" + faults->begin()->first +
                                                  "\": " + faults->begin()->second);
}

// None for a solve as published.
Awaitable<Status> WritePastKeys(const Batch* batch, PastKeysFile* past) {
  if (batch->settings.past_keys == 0) co_return OkStatus();
  co_return co_await Blocking(batch->context->runtime, [batch, past] {
    return past->Write(batch->repository, batch->plan.solve_state);
  });
}

// Those of several layers are found one after another, by the solve.
Awaitable<Status> FindTargets(Batch* batch, WorkerSession* session,
                              worker::protocol::Solve* request) {
  if (!request->targets.empty() || batch->settings.own_targets == 1 ||
      !FindsTargets(batch->settings.method))
    co_return OkStatus();
  const SteadyTime begin = batch->Now();
  TargetShare share{.context = batch->context,
                    .repository = &batch->repository,
                    .session = session,
                    .control = batch->control,
                    .request = TargetsOf(*request)};
  EMEND_CO_ASSIGN_OR_RETURN(request->targets, co_await ShareTargets(std::move(share)));
  batch->seconds["targets"] += SecondsBetween(begin, batch->Now());
  co_return OkStatus();
}

}  // namespace

double SecondsBetween(SteadyTime from, SteadyTime to) {
  return std::chrono::duration<double>(to - from).count();
}

std::vector<std::int32_t> LayerNumbers(const std::vector<LayerIndex>& layers) {
  std::vector<std::int32_t> numbers;
  for (const LayerIndex layer : layers) numbers.push_back(layer.value());
  return numbers;
}

Status PlanBatch(Batch& batch, const CommitId& head, const std::vector<WantedFacts>& wanted) {
  storage::kv::WriteBatch staging;
  EMEND_ASSIGN_OR_RETURN(batch.plan, PlanCommits(batch.repository, head, wanted, staging));
  return staging.changes().empty()
             ? OkStatus()
             : batch.context->store.Write(staging, storage::kv::Durability::kUnsynced);
}

Result<worker::protocol::SolveSettings> ResolveWithPreset(worker::protocol::SettingsRequest request,
                                                          const Repository& repository,
                                                          std::int64_t layer_count) {
  EMEND_ASSIGN_OR_RETURN(const auto preset, store::FindPreset(repository));
  if (preset && preset->method == request.method)
    request.values.insert(request.values.begin(), preset->settings.begin(), preset->settings.end());
  return ResolveSettings(request, layer_count);
}

Awaitable<Status> SampleTemplates(Batch* batch, WorkerSession* session) {
  worker::protocol::SampleTexts request;
  request.base = batch->repository.record().base;
  request.prefixes = worker::protocol::TemplatePrefixes();
  request.tokens_max = worker::protocol::kTemplateTokens;
  request.top_k = worker::protocol::kTemplateTopK;
  request.seed = batch->settings.seed;
  request.contexts = batch->settings.chat_contexts != 0;
  EMEND_CO_ASSIGN_OR_RETURN(
      const auto reply,
      co_await session->Call<worker::protocol::SampleTextsReply>(std::move(request), kCallTimeout));
  co_return SetContextTemplates(batch->settings,
                                worker::protocol::TemplatesFrom(reply.texts, reply.contexts));
}

Awaitable<Status> FindBatchStatistics(Batch* batch) {
  if (!FindsTargets(batch->settings.method)) co_return OkStatus();
  EMEND_CO_ASSIGN_OR_RETURN(batch->statistics, co_await Blocking(batch->context->runtime, [batch] {
                              return store::FindStatistics(batch->context->store,
                                                           batch->repository.record().id,
                                                           LayerNumbers(batch->settings.layers));
                            }));
  co_return OkStatus();
}

Awaitable<Status> SolveBatch(Batch* batch, WorkerSession* session) {
  auto request = SolveRequestOf(*batch);
  PastKeysFile past(*batch->context, batch->operation);
  EMEND_CO_RETURN_IF_ERROR(co_await WritePastKeys(batch, &past));
  request.past_keys_file = past.path();
  EMEND_CO_RETURN_IF_ERROR(co_await FindTargets(batch, session, &request));
  EMEND_CO_ASSIGN_OR_RETURN(batch->solved,
                            co_await session->CallOn<worker::protocol::SolveReply>(
                                batch->plan.solve_state, std::move(request), kSolveTimeout));
  for (const auto& [phase, seconds] : batch->solved.seconds) batch->seconds[phase] += seconds;
  const SteadyTime begin = batch->Now();
  EMEND_CO_ASSIGN_OR_RETURN(batch->staged, co_await Blocking(batch->context->runtime, [batch] {
                              return StageSolved(
                                  *batch->context, batch->repository,
                                  {batch->plan, batch->settings.method, batch->solved});
                            }));
  batch->seconds["store"] = SecondsBetween(begin, batch->Now());
  co_return OkStatus();
}

Awaitable<Status> MeasureBatch(Batch* batch, WorkerSession* session, On on) {
  if (!batch->is_measured) co_return OkStatus();
  const SteadyTime begin = batch->Now();
  std::optional<StateId> result;
  if (on == On::kResult) result = batch->staged.back().state;
  const BaseId base = batch->repository.record().base;
  EMEND_CO_RETURN_IF_ERROR(co_await Measure(session, &batch->plan, base, result, &batch->measures));
  batch->seconds["evaluate"] += SecondsBetween(begin, batch->Now());
  co_return OkStatus();
}

Awaitable<Status> RunBatch(Batch* batch, WorkerSession* session) {
  EMEND_CO_RETURN_IF_ERROR(co_await session->Open(batch->plan.solve_state));
  EMEND_CO_ASSIGN_OR_RETURN(
      batch->settings,
      co_await Blocking(batch->context->runtime, [batch, layers = session->model().layers] {
        return ResolveWithPreset(batch->asked, batch->repository, layers);
      }));
  if (batch->asked.context_templates.empty() && FindsTargets(batch->settings.method)) {
    EMEND_CO_RETURN_IF_ERROR(co_await SampleTemplates(batch, session));
  }
  EMEND_CO_RETURN_IF_ERROR(co_await FindBatchStatistics(batch));
  EMEND_CO_RETURN_IF_ERROR(co_await MeasureBatch(batch, session, On::kParent));
  EMEND_CO_RETURN_IF_ERROR(co_await SolveBatch(batch, session));
  EMEND_CO_RETURN_IF_ERROR(co_await CheckLiveBytes(batch, session));
  co_return co_await MeasureBatch(batch, session, On::kResult);
}

}  // namespace emend::coordinator::operations
