// commit: facts become edits, and edits a commit. The main line.
#include <algorithm>
#include <chrono>
#include <limits>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "coordinator/operations/commit_evidence.h"
#include "coordinator/operations/commit_plan.h"
#include "coordinator/operations/commit_stage.h"
#include "coordinator/operations/facts_field.h"
#include "coordinator/operations/live_check.h"
#include "coordinator/operations/measures.h"
#include "coordinator/operations/operation.h"
#include "coordinator/operations/past_keys.h"
#include "coordinator/operations/target_share.h"
#include "coordinator/store/statistics_table.h"
#include "storage/base/encoding.h"
#include "storage/base/failpoint.h"
#include "storage/base/reason.h"
#include "worker/protocol/solve_settings.h"

namespace emend::coordinator::operations {
namespace {

using nlohmann::ordered_json;
using storage::objects::Fact;
using worker::protocol::SolveSettings;

struct CommitFields {
  std::string branch = "main";
  std::vector<Fact> facts;
  std::string message;
  worker::protocol::SettingsRequest settings;
  bool force = false;    // commit facts again that are already held with the same target
  bool stack = false;    // keep the edits that hold the same slots
  bool evaluate = true;  // on the parent and on the result
  Required required;     // of what is evaluated; else nothing is committed
};

struct CommitResult {
  CommitId commit;
  StateId state;
  std::vector<std::string> coalesced;  // ids of the other operations that were solved with it
};

double SecondsBetween(SteadyTime from, SteadyTime to) {
  return std::chrono::duration<double>(to - from).count();
}

std::vector<std::int32_t> LayerNumbers(const std::vector<LayerIndex>& layers) {
  std::vector<std::int32_t> numbers;
  for (const LayerIndex layer : layers) numbers.push_back(layer.value());
  return numbers;
}

// What commits that are solved together gather on their way; lives in the job's coroutine. One
// alone is the common case.
struct CommitRun {
  RunInput input;
  std::vector<const CommitFields*> requests;  // one a member
  Repository repository;
  CommitPlan plan = {};
  SolveSettings settings = {};
  store::StatisticsRecord statistics = {};
  worker::protocol::SolveReply solved = {};
  std::vector<StagedState> staged = {};    // one a member
  std::vector<CommitResult> results = {};  // one a member
  BatchMeasures measures = {};
  std::map<std::string, double> seconds = {};

  JobContext& context() { return *input.context; }
  SteadyTime Now() { return context().runtime.clock().Now(); }
  // What all requests have in common: branch, settings, templates, flags.
  const CommitFields& common() const { return *requests.front(); }
  bool IsSolved(std::size_t member) const { return !plan.members[member].facts.empty(); }
};

// Reads the branch, plans, and stages the state to solve on. Runs on the pool.
Status Plan(CommitRun& run) {
  storage::kv::WriteBatch staging;
  std::vector<WantedFacts> wanted;
  for (const CommitFields* request : run.requests)
    wanted.push_back({&request->facts, request->force, request->stack});
  EMEND_ASSIGN_OR_RETURN(run.plan,
                         PlanCommits(run.repository, run.common().branch, wanted, staging));
  run.results.resize(run.plan.members.size());
  return staging.changes().empty()
             ? OkStatus()
             : run.context().store.Write(staging, storage::kv::Durability::kUnsynced);
}

worker::protocol::Solve SolveRequestOf(CommitRun& run) {
  worker::protocol::Solve request;
  request.base = run.repository.record().base;
  request.state = run.plan.solve_state;
  request.settings = run.settings;
  request.statistics_file = run.context().layout.statistics_file(run.statistics.id);
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

// On the parent, or on the result.
Awaitable<Status> MeasureState(CommitRun& run, WorkerSession& session,
                               std::optional<StateId> result) {
  if (!run.common().evaluate) co_return OkStatus();
  const SteadyTime begin = run.Now();
  const BaseId base = run.repository.record().base;
  EMEND_CO_RETURN_IF_ERROR(co_await Measure(&session, &run.plan, base, result, &run.measures));
  run.seconds["evaluate"] += SecondsBetween(begin, run.Now());
  if (!result) co_return OkStatus();
  for (std::size_t i = 0; i < run.results.size(); ++i)
    EMEND_CO_RETURN_IF_ERROR(
        CheckRequired(run.requests[i]->required, run.plan.members[i], run.measures.members[i]));
  co_return OkStatus();
}

// The worker must serve the very bytes that the independent rebuild says the last state has:
// checked before anyone can see a commit.
Awaitable<Status> CheckLiveBytes(CommitRun& run, WorkerSession& session) {
  const StagedState& last = run.staged.back();
  auto faults = co_await CheckLive(run.input.context, &session, &run.repository, last.state,
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
Awaitable<Status> WritePastKeys(CommitRun& run, PastKeysFile& past) {
  if (run.settings.past_keys == 0) co_return OkStatus();
  CommitRun* const borrowed = &run;
  co_return co_await Blocking(run.context().runtime, [borrowed, &past] {
    return past.Write(borrowed->repository, borrowed->plan.solve_state);
  });
}

Awaitable<Status> SolveAndStage(CommitRun& run, WorkerSession& session) {
  auto request = SolveRequestOf(run);
  PastKeysFile past(run.context(), run.input.operations.front().id);
  EMEND_CO_RETURN_IF_ERROR(co_await WritePastKeys(run, past));
  request.past_keys_file = past.path();
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
                              return StageSolved(
                                  borrowed->context(), borrowed->repository,
                                  {borrowed->plan, borrowed->settings.method, borrowed->solved});
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

// Of a commit that finds all its facts held: whether the model says them.
Awaitable<Status> MeasureHeld(CommitRun& run, WorkerSession& session) {
  EMEND_CO_RETURN_IF_ERROR(co_await session.Open(run.plan.parent.state));
  co_return co_await MeasureState(run, session, std::nullopt);
}

Awaitable<Status> RunOnWorker(CommitRun& run, WorkerSession& session) {
  EMEND_CO_RETURN_IF_ERROR(co_await session.Open(run.plan.solve_state));
  EMEND_CO_ASSIGN_OR_RETURN(run.settings, worker::protocol::ResolveSettings(
                                              run.common().settings, session.model().layers));
  if (run.common().settings.context_templates.empty()) {
    EMEND_CO_RETURN_IF_ERROR(co_await SampleTemplates(run, session));
  }
  CommitRun* const borrowed = &run;
  EMEND_CO_ASSIGN_OR_RETURN(run.statistics, co_await Blocking(run.context().runtime, [borrowed] {
                              return store::FindStatistics(borrowed->context().store,
                                                           borrowed->repository.record().id,
                                                           LayerNumbers(borrowed->settings.layers));
                            }));
  EMEND_CO_RETURN_IF_ERROR(co_await MeasureState(run, session, std::nullopt));
  EMEND_CO_RETURN_IF_ERROR(co_await SolveAndStage(run, session));
  EMEND_CO_RETURN_IF_ERROR(co_await CheckLiveBytes(run, session));
  co_return co_await MeasureState(run, session, run.staged.back().state);
}

std::string DefaultMessage(const MemberPlan& plan) {
  const std::string first = plan.facts.front().subject + " -> " + plan.facts.front().target;
  return plan.facts.size() == 1
             ? first
             : "Edit " + std::to_string(plan.facts.size()) + " facts (" + first + ", ...)";
}

ordered_json EvidenceOf(const CommitRun& run, std::size_t member) {
  static const std::vector<EditId> kNone;
  const std::vector<EditId>& edits = run.IsSolved(member) ? run.staged[member].edits : kNone;
  return EvidenceJson(run.plan.members[member], edits, run.measures, member);
}

template <typename Value>
void PutJson(nlohmann::json& json, const Value& value) {
  json = value;
}
void PutJson(nlohmann::json& json, const std::vector<LayerIndex>& layers) {
  json = LayerNumbers(layers);
}

// In canonical form: keys in order, numbers in shortest form, templates included; and what a word
// ("auto") came to, layer by layer.
nlohmann::json SettingsJson(const CommitRun& run) {
  const SolveSettings& settings = run.settings;
  nlohmann::json json;
  json["method"] = settings.method;
  for (const worker::protocol::Setting& setting : worker::protocol::Settings())
    std::visit([&](auto field) { PutJson(json[std::string(setting.name)], settings.*field); },
               setting.field);
  json["context_templates"] = settings.context_templates;
  if (settings.mom2_update_weight == 0) {
    json["mom2_update_weight"] = "auto";
    for (const auto& layer : run.solved.layers) json["mom2_update_weights"].push_back(layer.weight);
  }
  return json;
}

Commit CommitOf(CommitRun& run, std::size_t member, const CommitId& parent) {
  const storage::records::Principal& principal = run.input.operations[member].principal;
  const std::string& message = run.requests[member]->message;
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
  commit.settings = SettingsJson(run).dump();
  commit.seed = run.settings.seed;
  commit.statistics = run.statistics.id;
  if (run.common().evaluate) {
    const MemberMeasures& measures = run.measures.members[member];
    commit.before = ToEvaluation(*measures.before);
    commit.after = ToEvaluation(*measures.after);
    commit.evidence = EvidenceOf(run, member).dump();
  }
  return commit;
}

// What a commit's result says, of itself and of the solve that it shares with others.
std::string ResultOf(const CommitRun& run, std::size_t member) {
  const CommitResult& result = run.results[member];
  const MemberPlan& plan = run.plan.members[member];
  const bool is_solved = run.IsSolved(member);
  ordered_json json = LocatedJson(result.commit, result.state);
  json["branch"] = run.common().branch;
  json["edits"] = is_solved ? run.staged[member].added.size() : 0;
  json["superseded"] = plan.superseded.size();
  json["skipped"] = plan.held.size();    // held already with the same target
  json["duplicates"] = plan.duplicates;  // said more than once in the request
  for (const char* name : {"total", "targets", "keys", "solve", "apply", "evaluate", "store"}) {
    const auto found = run.seconds.find(name);
    json["seconds"][name] =
        is_solved && found != run.seconds.end() ? Milliseconds(found->second) : 0.0;
  }
  json["evaluation"] = ordered_json::object();
  if (run.common().evaluate && is_solved) {
    const MemberMeasures& measures = run.measures.members[member];
    json["evaluation"]["before"] = MeasuresJson(ToEvaluation(*measures.before));
    json["evaluation"]["after"] = MeasuresJson(ToEvaluation(*measures.after));
  }
  json.update(EvidenceOf(run, member));
  json["statistics"] = nullptr;
  if (is_solved)
    json["statistics"] = {{"id", run.statistics.id}, {"tokens", run.statistics.tokens}};
  json["settings"] = nullptr;
  if (is_solved) json["settings"] = SettingsJson(run);
  json["layers"] = ordered_json::array();
  for (const auto& layer : run.solved.layers) {
    if (!is_solved) break;
    json["layers"].push_back({{"layer", layer.layer},
                              {"tensor", layer.tensor},
                              {"update_norm", layer.update_norm},
                              {"weight_norm", layer.weight_norm},
                              {"leverage", layer.leverage},
                              {"mom2_update_weight", layer.weight}});
  }
  json["coalesced"] = result.coalesced;
  return json.dump();
}

// Ids of the other operations that were solved with this one.
std::vector<std::string> SolvedWith(const CommitRun& run, std::size_t member) {
  std::vector<std::string> others;
  for (std::size_t i = 0; i < run.results.size(); ++i) {
    if (i != member && run.IsSolved(i)) others.push_back(run.input.operations[i].id.value());
  }
  return others;
}

// One outcome a member. Each commit stands on the one before; a member whose facts are all held
// already makes none.
Outcomes OutcomesOf(CommitRun& run) {
  Outcomes outcomes;
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
      result.coalesced = SolvedWith(run, i);
      head = IdOf(commit);
      state = commit.state;
    }
    result.commit = head;
    result.state = state;
    outcome.result = ResultOf(run, i);
  }
  return outcomes;
}

// Everything of a commit request that its members must share to be solved in one batch.
Digest KeyOf(const CommitFields& request) {
  Encoder out;
  out.Text(request.settings.method);
  out.Count(request.settings.values.size());
  for (const auto& [name, value] : request.settings.values) {
    out.Text(name);
    out.Text(value);
  }
  out.Count(request.settings.context_templates.size());
  for (const auto& group : request.settings.context_templates) {
    out.Count(group.size());
    for (const std::string& text : group) out.Text(text);
  }
  for (const bool flag : {request.force, request.stack, request.evaluate}) out.Bool(flag);
  out.Count(request.required.size());
  for (const auto& [name, percent] : request.required) {
    out.Text(name);
    out.F64(percent);
  }
  return Sha256(out.bytes());
}

std::uint64_t HashOf(const storage::objects::Slot& slot) {
  Encoder out;
  out.Text(slot.subject);
  out.Text(slot.relation_or_prompt);
  out.Text(slot.language);
  const Digest digest = Sha256(out.bytes());
  return Decoder(std::string_view(reinterpret_cast<const char*>(digest.bytes.data()),
                                  sizeof(std::uint64_t)))
      .U64();
}

std::vector<std::uint64_t> SlotsOf(const std::vector<storage::objects::Fact>& facts) {
  std::vector<std::uint64_t> slots;
  for (const auto& fact : facts) slots.push_back(HashOf(SlotOf(fact)));
  std::ranges::sort(slots);
  const auto repeated = std::ranges::unique(slots);
  slots.erase(repeated.begin(), repeated.end());
  return slots;
}

class CommitRequest final : public OperationRequest {
 public:
  void Read(JsonReader& reader) {
    worker::protocol::SettingsRequest& settings = fields_.settings;
    reader.Filled("branch", fields_.branch);
    ReadFacts(reader, fields_.facts);
    reader.Text("message", fields_.message);
    reader.Text("method", settings.method);
    reader.TextMap("settings", settings.values);
    reader.TextGroups("context_templates", settings.context_templates);
    reader.Flag("force", fields_.force);
    reader.Flag("stack", fields_.stack);
    reader.Flag("evaluate", fields_.evaluate);
    ReadRequired(reader, fields_.required);
    if (!fields_.evaluate && !fields_.required.empty())
      reader.Fail("require", "nothing can be required of a commit that is not evaluated");
  }
  Demand DemandOn(const std::string& repo) const override {
    return {.role = Role::kEdits,
            .pool = Pool::kWorkers,
            .cost = 1 + fields_.facts.size(),
            .repo = repo,
            .branch = fields_.branch,
            .key = KeyOf(fields_),
            .facts = fields_.facts.size(),
            .slots = SlotsOf(fields_.facts)};
  }
  // Layers are checked against the model when it runs.
  Status Check(JobContext&, const RepoName&) const override {
    return ResolveSettings(fields_.settings, std::numeric_limits<std::int32_t>::max()).status();
  }
  Awaitable<Result<Outcomes>> Run(RunInput input) const override;

 private:
  CommitFields fields_;
};

Awaitable<Result<Outcomes>> CommitRequest::Run(RunInput input) const {
  JobContext& context = *input.context;
  const RepoName repo(input.operations.front().repo);
  EMEND_CO_ASSIGN_OR_RETURN(Repository repository, co_await Blocking(context.runtime, [&] {
                              return Repository::Open(context.store, repo);
                            }));
  std::vector<const CommitFields*> requests;
  for (const auto& request : input.requests)
    requests.push_back(&static_cast<const CommitRequest&>(*request).fields_);
  CommitRun run{.input = std::move(input),
                .requests = std::move(requests),
                .repository = std::move(repository)};
  const SteadyTime begin = run.Now();
  EMEND_CO_RETURN_IF_ERROR(co_await Blocking(context.runtime, [&run] { return Plan(run); }));
  if (run.plan.fact_count() > 0) {
    WorkerSession session(context, run.repository, run.input.control);
    EMEND_CO_RETURN_IF_ERROR(co_await RunOnWorker(run, session));
    run.seconds["total"] = SecondsBetween(begin, run.Now());
  } else if (run.common().evaluate) {
    WorkerSession session(context, run.repository, run.input.control);
    EMEND_CO_RETURN_IF_ERROR(co_await MeasureHeld(run, session));
  }
  co_return OutcomesOf(run);
}

}  // namespace

extern const OperationKind kCommit;
const OperationKind kCommit = {"commit", "merge", Subject::kRepo, ReadAs<CommitRequest>};

}  // namespace emend::coordinator::operations
