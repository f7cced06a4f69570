#include <algorithm>
#include <chrono>
#include <map>
#include <optional>

#include "coordinator/jobs/commit_plan.h"
#include "coordinator/jobs/commit_stage.h"
#include "coordinator/jobs/job.h"
#include "coordinator/jobs/live_check.h"
#include "coordinator/jobs/results.h"
#include "coordinator/jobs/statistics_table.h"
#include "coordinator/jobs/target_share.h"
#include "coordinator/jobs/worker_session.h"
#include "storage/base/failpoint.h"

namespace emend::coordinator::jobs {
namespace {

using storage::history::Repository;
using storage::objects::Commit;
using storage::objects::Evaluation;
using storage::objects::Fact;
using worker::protocol::MemitSettings;

double SecondsBetween(SteadyTime from, SteadyTime to) {
  return std::chrono::duration<double>(to - from).count();
}

// The settings of this commit: the model's defaults, then the request's own values.
Result<MemitSettings> ResolveSettings(const core::CommitRequest& request,
                                      std::int64_t layer_count) {
  MemitSettings settings = worker::protocol::DefaultSettings(layer_count);
  for (const auto& [key, value] : request.settings)
    EMEND_RETURN_IF_ERROR(ApplySetting(settings, key, value));
  if (!request.context_templates.empty())
    EMEND_RETURN_IF_ERROR(SetContextTemplates(settings, request.context_templates));
  EMEND_RETURN_IF_ERROR(CheckSettings(settings, layer_count));
  return settings;
}

std::vector<std::int32_t> LayerNumbers(const MemitSettings& settings) {
  std::vector<std::int32_t> layers;
  for (const LayerIndex layer : settings.layers) layers.push_back(layer.value());
  return layers;
}

worker::protocol::Evaluate EvaluationOf(const BaseId& base, const StateId& state,
                                        const std::vector<Fact>& facts) {
  worker::protocol::Evaluate request{base, state, {}};
  for (const Fact& fact : facts)
    request.facts.push_back({fact.prompt, fact.subject, fact.target, fact.old_target,
                             fact.paraphrases, fact.neighbours});
  return request;
}

// What commits that are solved together gather on their way; lives in the job's coroutine. One
// alone is the common case.
struct CommitRun {
  CommitInput input;
  Repository repository;
  CommitPlan plan;
  MemitSettings settings;
  StatisticsRecord statistics;
  worker::protocol::SolveReply solved;
  std::vector<StagedState> staged;    // one a member
  std::vector<CommitResult> results;  // one a member
  std::map<std::string, double> seconds;

  JobContext& context() { return *input.context; }
  SteadyTime Now() { return context().runtime.clock().Now(); }
  // What all requests have in common: branch, settings, templates, flags.
  const core::CommitRequest& common() const { return input.requests.front(); }
  bool IsSolved(std::size_t member) const { return !plan.members[member].facts.empty(); }
};

// Reads the branch, plans, and stages the state to solve on. Runs on the pool.
Status Plan(CommitRun& run) {
  storage::kv::WriteBatch staging;
  EMEND_ASSIGN_OR_RETURN(run.plan, PlanCommits(run.repository, run.input.requests, staging));
  for (const MemberPlan& member : run.plan.members) {
    CommitResult& result = run.results.emplace_back();
    result.branch = run.common().branch;
    result.superseded = member.superseded.size();
    result.skipped = member.skipped;
    result.duplicates = member.duplicates;
  }
  return staging.changes().empty()
             ? OkStatus()
             : run.context().store.Write(staging, storage::kv::Durability::kUnsynced);
}

worker::protocol::Solve SolveRequestOf(CommitRun& run) {
  worker::protocol::Solve request;
  request.base = run.repository.record().base;
  request.state = run.plan.solve_state;
  request.method = run.common().method;
  request.settings = run.common().settings;
  request.context_templates = run.settings.context_templates;
  request.statistics_file = run.context().layout.statistics_file(run.statistics.id);
  for (const MemberPlan& member : run.plan.members) {
    for (const Fact& fact : member.facts)
      request.facts.push_back({fact.prompt, fact.subject, fact.target});
  }
  return request;
}

worker::protocol::OptimiseTargets TargetsOf(const worker::protocol::Solve& solve) {
  return {solve.base, solve.state, solve.method, solve.settings, solve.context_templates,
          solve.facts};
}

// Each member's own facts on `state`.
Awaitable<Status> Measure(CommitRun& run, WorkerSession& session, StateId state,
                          std::optional<Evaluation> CommitResult::* out) {
  if (!run.common().evaluate) co_return OkStatus();
  const SteadyTime begin = run.Now();
  for (std::size_t i = 0; i < run.results.size(); ++i) {
    if (!run.IsSolved(i)) continue;
    auto request = EvaluationOf(run.repository.record().base, state, run.plan.members[i].facts);
    EMEND_CO_ASSIGN_OR_RETURN(const auto reply,
                              co_await session.CallOn<worker::protocol::EvaluateReply>(
                                  state, std::move(request), kSolveTimeout));
    run.results[i].*out = ToEvaluation(reply);
  }
  run.seconds["evaluate"] += SecondsBetween(begin, run.Now());
  co_return OkStatus();
}

// The worker must serve the very bytes that the independent rebuild says the last state has:
// checked before anyone can see a commit.
Awaitable<Status> CheckLiveBytes(CommitRun& run, WorkerSession& session) {
  const StagedState& last = run.staged.back();
  auto faults = co_await CheckLive(run.input.context, &session, &run.repository, last.state,
                                   last.manifest.roots);
  const std::string doing = "committing state " + last.state.Short() + ": nothing was committed; ";
  if (faults.status().slug() == "live_bytes_damaged")
    co_return Status(StatusCode::kDataLoss, "live_bytes_differ", doing + faults.status().message());
  EMEND_CO_RETURN_IF_ERROR(faults.status());
  if (faults->empty()) co_return OkStatus();
  co_return Status(
      StatusCode::kDataLoss, "live_bytes_differ",
      doing + "live tensor \"" + faults->begin()->first + "\": " + faults->begin()->second);
}

Awaitable<Status> SolveAndStage(CommitRun& run, WorkerSession& session) {
  auto request = SolveRequestOf(run);
  const SteadyTime search = run.Now();
  TargetShare share{.context = run.input.context,
                    .repository = &run.repository,
                    .session = &session,
                    .control = run.input.control,
                    .request = TargetsOf(request)};
  EMEND_CO_ASSIGN_OR_RETURN(request.targets, co_await ShareTargets(std::move(share)));
  const double shared_seconds = SecondsBetween(search, run.Now());
  EMEND_CO_ASSIGN_OR_RETURN(run.solved,
                            co_await session.CallOn<worker::protocol::SolveReply>(
                                run.plan.solve_state, std::move(request), kSolveTimeout));
  for (const auto& [phase, seconds] : run.solved.seconds) run.seconds[phase] = seconds;
  run.seconds["targets"] += shared_seconds;
  const SteadyTime begin = run.Now();
  CommitRun* const borrowed = &run;
  EMEND_CO_ASSIGN_OR_RETURN(run.staged, co_await Blocking(run.context().runtime, [borrowed] {
                              return StageSolved(borrowed->context(), borrowed->repository,
                                                 borrowed->plan, borrowed->solved);
                            }));
  run.seconds["store"] = SecondsBetween(begin, run.Now());
  co_return OkStatus();
}

// As the published code: templates that nobody gave are made up by the unedited model. They are
// kept in the commit, with the seed.
Awaitable<Status> SampleTemplates(CommitRun& run, WorkerSession& session) {
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

Awaitable<Status> RunOnWorker(CommitRun& run, WorkerSession& session) {
  EMEND_CO_RETURN_IF_ERROR(co_await session.Open(run.plan.solve_state));
  EMEND_CO_ASSIGN_OR_RETURN(run.settings, ResolveSettings(run.common(), session.model().layers));
  if (run.common().context_templates.empty()) {
    EMEND_CO_RETURN_IF_ERROR(co_await SampleTemplates(run, session));
  }
  CommitRun* const borrowed = &run;
  EMEND_CO_ASSIGN_OR_RETURN(run.statistics, co_await Blocking(run.context().runtime, [borrowed] {
                              return FindStatistics(borrowed->context().store,
                                                    borrowed->repository.record().id,
                                                    LayerNumbers(borrowed->settings));
                            }));
  EMEND_CO_RETURN_IF_ERROR(
      co_await Measure(run, session, run.plan.parent.state, &CommitResult::before));
  EMEND_CO_RETURN_IF_ERROR(co_await SolveAndStage(run, session));
  EMEND_CO_RETURN_IF_ERROR(co_await CheckLiveBytes(run, session));
  co_return co_await Measure(run, session, run.staged.back().state, &CommitResult::after);
}

std::string DefaultMessage(const MemberPlan& plan) {
  const std::string first = plan.facts.front().subject + " -> " + plan.facts.front().target;
  return plan.facts.size() == 1
             ? first
             : "Edit " + std::to_string(plan.facts.size()) + " facts (" + first + ", ...)";
}

Commit CommitOf(CommitRun& run, std::size_t member, const CommitId& parent) {
  const storage::records::Principal& principal = run.input.operations[member].principal;
  const std::string& message = run.input.requests[member].message;
  Commit commit;
  commit.kind = storage::objects::CommitKind::kEdit;
  commit.parents = {parent};
  commit.base = run.repository.record().base;
  commit.state = run.staged[member].state;
  commit.author = principal.name;
  commit.token_id = principal.token_id;
  commit.time_ms = run.context().runtime.clock().WallNow().time_since_epoch().count();
  commit.message = message.empty() ? DefaultMessage(run.plan.members[member]) : message;
  commit.added = run.staged[member].added;
  commit.removed = run.plan.members[member].superseded;
  commit.settings = ToJson(run.settings);
  commit.seed = run.settings.seed;
  commit.statistics = run.statistics.id;
  commit.before = run.results[member].before;
  commit.after = run.results[member].after;
  return commit;
}

// What a commit's result says of the solve that it shares with others.
void DescribeSolve(const CommitRun& run, std::size_t member, CommitResult& result) {
  result.edits = run.staged[member].added.size();
  result.seconds = run.seconds;
  result.layers = run.solved.layers;
  result.statistics = run.statistics.id;
  result.statistics_tokens = run.statistics.tokens;
  for (std::size_t i = 0; i < run.results.size(); ++i) {
    if (i != member && run.IsSolved(i))
      result.coalesced.push_back(run.input.operations[i].id.value());
  }
}

// One outcome a member. Each commit stands on the one before; a member whose facts are all held
// already makes none.
std::vector<JobOutcome> OutcomesOf(CommitRun& run) {
  std::vector<JobOutcome> outcomes;
  CommitId head = run.plan.head;
  StateId state = run.plan.parent.state;
  for (std::size_t i = 0; i < run.results.size(); ++i) {
    CommitResult& result = run.results[i];
    JobOutcome& outcome = outcomes.emplace_back();
    if (run.IsSolved(i)) {
      const Commit commit = CommitOf(run, i, head);
      outcome.apply = [repository = run.repository, branch = run.common().branch, head, commit](
                          storage::records::Transaction& transaction, std::string&) -> Status {
        EMEND_FAILPOINT("commit.before_advance");
        EMEND_RETURN_IF_ERROR(CheckStaged(repository, commit.added));
        return repository.Advance(transaction, branch, head, commit).status();
      };
      DescribeSolve(run, i, result);
      head = IdOf(commit);
      state = commit.state;
    }
    result.commit = head;
    result.state = state;
    outcome.result = ToJson(result);
  }
  return outcomes;
}

}  // namespace

Awaitable<Result<std::vector<JobOutcome>>> RunCommits(CommitInput input) {
  JobContext& context = *input.context;
  const RepoName repo(input.operations.front().repo);
  EMEND_CO_ASSIGN_OR_RETURN(Repository repository, co_await Blocking(context.runtime, [&] {
                              return Repository::Open(context.store, repo);
                            }));
  CommitRun run{std::move(input), std::move(repository), {}, {}, {}, {}, {}, {}, {}};
  const SteadyTime begin = run.Now();
  EMEND_CO_RETURN_IF_ERROR(co_await Blocking(context.runtime, [&run] { return Plan(run); }));
  if (run.plan.fact_count() > 0) {
    WorkerSession session(context, run.repository, run.input.control);
    EMEND_CO_RETURN_IF_ERROR(co_await RunOnWorker(run, session));
    run.seconds["total"] = SecondsBetween(begin, run.Now());
  }
  co_return OutcomesOf(run);
}

Awaitable<Result<JobOutcome>> RunEvaluation(JobInput input, core::EvaluationRequest request) {
  JobContext& context = *input.context;
  EMEND_CO_ASSIGN_OR_RETURN(Repository repository, co_await Blocking(context.runtime, [&] {
                              return Repository::Open(context.store,
                                                      RepoName(input.operation.repo));
                            }));
  EvaluationResult result;
  EMEND_CO_ASSIGN_OR_RETURN(result.commit, co_await Blocking(context.runtime, [&] {
                              return repository.Resolve(request.revision);
                            }));
  EMEND_CO_ASSIGN_OR_RETURN(const Commit commit, co_await Blocking(context.runtime, [&] {
                              return repository.ReadCommit(result.commit);
                            }));
  result.state = commit.state;
  WorkerSession session(context, repository, input.control);
  EMEND_CO_RETURN_IF_ERROR(co_await session.Open(commit.state));
  auto evaluate = EvaluationOf(repository.record().base, commit.state, request.facts);
  EMEND_CO_ASSIGN_OR_RETURN(const auto reply,
                            co_await session.CallOn<worker::protocol::EvaluateReply>(
                                commit.state, std::move(evaluate), kSolveTimeout));
  result.measured = ToEvaluation(reply);
  co_return JobOutcome{ToJson(result), {}};
}

}  // namespace emend::coordinator::jobs
