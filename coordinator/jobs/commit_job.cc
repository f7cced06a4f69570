#include <algorithm>
#include <chrono>

#include "coordinator/jobs/commit_plan.h"
#include "coordinator/jobs/commit_stage.h"
#include "coordinator/jobs/job.h"
#include "coordinator/jobs/results.h"
#include "coordinator/jobs/statistics_table.h"
#include "coordinator/jobs/worker_session.h"
#include "storage/base/failpoint.h"

namespace emend::coordinator::jobs {
namespace {

using storage::history::Repository;
using storage::objects::Commit;
using storage::objects::Evaluation;
using storage::objects::Fact;
using worker::protocol::MemitSettings;

double SecondsBetween(SteadyTime from, SteadyTime to) { return std::chrono::duration<double>(to - from).count(); }

// The settings of this commit: the model's defaults, then the request's own values.
Result<MemitSettings> ResolveSettings(const core::CommitRequest& request, std::int64_t layer_count) {
  MemitSettings settings = worker::protocol::DefaultSettings(layer_count);
  for (const auto& [key, value] : request.settings) EMEND_RETURN_IF_ERROR(ApplySetting(settings, key, value));
  if (!request.context_templates.empty()) EMEND_RETURN_IF_ERROR(SetContextTemplates(settings, request.context_templates));
  EMEND_RETURN_IF_ERROR(CheckSettings(settings, layer_count));
  return settings;
}

std::vector<std::int32_t> LayerNumbers(const MemitSettings& settings) {
  std::vector<std::int32_t> layers;
  for (const LayerIndex layer : settings.layers) layers.push_back(layer.value());
  return layers;
}

worker::protocol::Evaluate EvaluationOf(const BaseId& base, const StateId& state, const std::vector<Fact>& facts) {
  worker::protocol::Evaluate request{base, state, {}};
  for (const Fact& fact : facts) request.facts.push_back({fact.prompt, fact.subject, fact.target, fact.old_target, fact.paraphrases, fact.neighbours});
  return request;
}

// What a commit gathers on its way; lives in the job's coroutine.
struct CommitRun {
  JobInput input;
  core::CommitRequest request;
  Repository repository;
  CommitPlan plan;
  MemitSettings settings;
  StatisticsRecord statistics;
  worker::protocol::SolveReply solved;
  StagedState staged;
  CommitResult result;

  JobContext& context() { return *input.context; }
  SteadyTime Now() { return context().runtime.clock().Now(); }
};

// Reads the branch, plans, and stages the state to solve on. Runs on the pool.
Status Plan(CommitRun& run) {
  storage::kv::WriteBatch staging;
  EMEND_ASSIGN_OR_RETURN(run.plan, PlanCommit(run.repository, run.request, staging));
  run.result.branch = run.request.branch;
  run.result.superseded = run.plan.superseded.size();
  run.result.skipped = run.plan.skipped;
  run.result.duplicates = run.plan.duplicates;
  return staging.changes().empty() ? OkStatus() : run.context().store.Write(staging, storage::kv::Durability::kUnsynced);
}

worker::protocol::Solve SolveRequestOf(CommitRun& run) {
  worker::protocol::Solve request;
  request.base = run.repository.record().base;
  request.state = run.plan.solve_state;
  request.method = run.request.method;
  request.settings = run.request.settings;
  request.context_templates = run.settings.context_templates;
  request.statistics_file = run.context().layout.statistics_file(run.statistics.id);
  for (const Fact& fact : run.plan.facts) request.facts.push_back({fact.prompt, fact.subject, fact.target});
  return request;
}

Awaitable<Result<Evaluation>> Measure(CommitRun& run, WorkerSession& session, StateId state) {
  const SteadyTime begin = run.Now();
  auto request = EvaluationOf(run.repository.record().base, state, run.plan.facts);
  EMEND_CO_ASSIGN_OR_RETURN(const auto reply, co_await session.CallOn<worker::protocol::EvaluateReply>(state, std::move(request), kSolveTimeout));
  run.result.seconds["evaluate"] += SecondsBetween(begin, run.Now());
  co_return ToEvaluation(reply);
}

// The worker must serve the very bytes that the independent rebuild says the state has: checked before anyone can see the commit.
Awaitable<Status> CheckLiveBytes(CommitRun& run, WorkerSession& session) {
  worker::protocol::DigestState request{run.repository.record().base, run.staged.state};
  EMEND_CO_ASSIGN_OR_RETURN(const auto reply, co_await session.CallOn<worker::protocol::DigestStateReply>(run.staged.state, request, kCallTimeout));
  for (const auto& [tensor, root] : run.staged.manifest.roots) {
    const auto live = reply.roots.find(tensor);
    if (live == reply.roots.end() || live->second != root) {
      co_return DataLoss("committing state " + run.staged.state.Short() + ": the worker's live tensor \"" + tensor + "\" has the digest " +
                         (live == reply.roots.end() ? "(none)" : live->second.Hex()) + ", the independent rebuild " + root.Hex() +
                         "; nothing was committed, and that worker must be started anew (`emend down` and `emend up`)");
    }
  }
  co_return OkStatus();
}

Awaitable<Status> SolveAndStage(CommitRun& run, WorkerSession& session) {
  auto request = SolveRequestOf(run);
  EMEND_CO_ASSIGN_OR_RETURN(run.solved, co_await session.CallOn<worker::protocol::SolveReply>(run.plan.solve_state, std::move(request), kSolveTimeout));
  for (const auto& [phase, seconds] : run.solved.seconds) run.result.seconds[phase] = seconds;
  run.result.layers = run.solved.layers;
  const SteadyTime begin = run.Now();
  CommitRun* const borrowed = &run;
  EMEND_CO_ASSIGN_OR_RETURN(run.staged, co_await Blocking(run.context().runtime, [borrowed] {
                              return StageSolved(borrowed->context(), borrowed->repository, borrowed->plan, borrowed->solved);
                            }));
  run.result.seconds["store"] = SecondsBetween(begin, run.Now());
  co_return OkStatus();
}

// As the published code: templates that nobody gave are made up by the unedited model. They are kept in the commit, with the seed.
Awaitable<Status> SampleTemplates(CommitRun& run, WorkerSession& session) {
  worker::protocol::SampleTexts request;
  request.base = run.repository.record().base;
  request.prefixes = worker::protocol::TemplatePrefixes();
  request.tokens_max = worker::protocol::kTemplateTokens;
  request.top_k = worker::protocol::kTemplateTopK;
  request.seed = run.settings.seed;
  EMEND_CO_ASSIGN_OR_RETURN(const auto reply, co_await session.Call<worker::protocol::SampleTextsReply>(std::move(request), kCallTimeout));
  co_return SetContextTemplates(run.settings, worker::protocol::TemplatesFrom(reply.texts));
}

Awaitable<Status> RunOnWorker(CommitRun& run, WorkerSession& session) {
  EMEND_CO_RETURN_IF_ERROR(co_await session.Open(run.plan.solve_state));
  EMEND_CO_ASSIGN_OR_RETURN(run.settings, ResolveSettings(run.request, session.model().layers));
  if (run.request.context_templates.empty()) {
    EMEND_CO_RETURN_IF_ERROR(co_await SampleTemplates(run, session));
  }
  CommitRun* const borrowed = &run;
  EMEND_CO_ASSIGN_OR_RETURN(run.statistics, co_await Blocking(run.context().runtime, [borrowed] {
                              return FindStatistics(borrowed->context().store, borrowed->repository.record().id, LayerNumbers(borrowed->settings));
                            }));
  run.result.statistics = run.statistics.id;
  run.result.statistics_tokens = run.statistics.tokens;
  if (run.request.evaluate) {
    EMEND_CO_ASSIGN_OR_RETURN(run.result.before, co_await Measure(run, session, run.plan.parent.state));
  }
  EMEND_CO_RETURN_IF_ERROR(co_await SolveAndStage(run, session));
  EMEND_CO_RETURN_IF_ERROR(co_await CheckLiveBytes(run, session));
  if (run.request.evaluate) {
    EMEND_CO_ASSIGN_OR_RETURN(run.result.after, co_await Measure(run, session, run.staged.state));
  }
  co_return OkStatus();
}

std::string DefaultMessage(const CommitPlan& plan) {
  const std::string first = plan.facts.front().subject + " -> " + plan.facts.front().target;
  return plan.facts.size() == 1 ? first : "Edit " + std::to_string(plan.facts.size()) + " facts (" + first + ", ...)";
}

Commit CommitOf(CommitRun& run) {
  Commit commit;
  commit.kind = storage::objects::CommitKind::kEdit;
  commit.parents = {run.plan.head};
  commit.base = run.repository.record().base;
  commit.state = run.staged.state;
  commit.author = run.input.operation.principal.name;
  commit.token_id = run.input.operation.principal.token_id;
  commit.time_ms = run.context().runtime.clock().WallNow().time_since_epoch().count();
  commit.message = run.request.message.empty() ? DefaultMessage(run.plan) : run.request.message;
  commit.added = run.staged.added;
  commit.removed = run.plan.superseded;
  commit.settings = ToJson(run.settings);
  commit.seed = run.settings.seed;
  commit.statistics = run.statistics.id;
  commit.before = run.result.before;
  commit.after = run.result.after;
  return commit;
}

JobOutcome NothingToDo(CommitRun& run) {
  run.result.commit = run.plan.head;
  run.result.state = run.plan.parent.state;
  return {ToJson(run.result), {}};
}

}  // namespace

Awaitable<Result<JobOutcome>> RunCommit(JobInput input, core::CommitRequest request) {
  JobContext& context = *input.context;
  EMEND_CO_ASSIGN_OR_RETURN(Repository repository,
                            co_await Blocking(context.runtime, [&] { return Repository::Open(context.store, RepoName(input.operation.repo)); }));
  CommitRun run{std::move(input), std::move(request), std::move(repository), {}, {}, {}, {}, {}, {}};
  const SteadyTime begin = run.Now();
  EMEND_CO_RETURN_IF_ERROR(co_await Blocking(context.runtime, [&run] { return Plan(run); }));
  if (run.plan.facts.empty()) co_return NothingToDo(run);

  WorkerSession session(context, run.repository, run.input.control);
  EMEND_CO_RETURN_IF_ERROR(co_await RunOnWorker(run, session));

  const Commit commit = CommitOf(run);
  run.result.commit = IdOf(commit);
  run.result.state = commit.state;
  run.result.edits = commit.added.size();
  run.result.seconds["total"] = SecondsBetween(begin, run.Now());
  auto apply = [repository = run.repository, branch = run.request.branch, head = run.plan.head, commit](storage::records::Transaction& transaction,
                                                                                                        std::string&) -> Status {
    EMEND_FAILPOINT("commit.before_advance");
    EMEND_RETURN_IF_ERROR(CheckStaged(repository, commit.added));
    return repository.Advance(transaction, branch, head, commit).status();
  };
  co_return JobOutcome{ToJson(run.result), std::move(apply)};
}

Awaitable<Result<JobOutcome>> RunEvaluation(JobInput input, core::EvaluationRequest request) {
  JobContext& context = *input.context;
  EMEND_CO_ASSIGN_OR_RETURN(Repository repository,
                            co_await Blocking(context.runtime, [&] { return Repository::Open(context.store, RepoName(input.operation.repo)); }));
  EvaluationResult result;
  EMEND_CO_ASSIGN_OR_RETURN(result.commit, co_await Blocking(context.runtime, [&] { return repository.Resolve(request.revision); }));
  EMEND_CO_ASSIGN_OR_RETURN(const Commit commit, co_await Blocking(context.runtime, [&] { return repository.ReadCommit(result.commit); }));
  result.state = commit.state;
  WorkerSession session(context, repository, input.control);
  EMEND_CO_RETURN_IF_ERROR(co_await session.Open(commit.state));
  auto evaluate = EvaluationOf(repository.record().base, commit.state, request.facts);
  EMEND_CO_ASSIGN_OR_RETURN(const auto reply, co_await session.CallOn<worker::protocol::EvaluateReply>(commit.state, std::move(evaluate), kSolveTimeout));
  result.measured = ToEvaluation(reply);
  co_return JobOutcome{ToJson(result), {}};
}

}  // namespace emend::coordinator::jobs
