// commit: facts become edits, and edits a commit. The main line.
#include <algorithm>
#include <limits>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "coordinator/operations/batch.h"
#include "coordinator/operations/batch_outcome.h"
#include "coordinator/operations/facts_field.h"
#include "coordinator/operations/measures.h"
#include "coordinator/operations/operation.h"
#include "storage/base/encoding.h"
#include "storage/base/failpoint.h"
#include "worker/protocol/solve_settings.h"

namespace emend::coordinator::operations {
namespace {

using nlohmann::ordered_json;
using storage::objects::Fact;

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

// What commits that are solved together gather on their way; lives in the job's coroutine. One
// alone is the common case.
struct CommitRun {
  std::vector<storage::records::Operation> operations;  // one a member, as the next
  std::vector<const CommitFields*> requests;
  Batch batch;
  std::vector<CommitResult> results = {};  // one a member

  // What all requests have in common: branch, settings, templates, flags.
  const CommitFields& common() const { return *requests.front(); }
  bool IsSolved(std::size_t member) const { return !batch.plan.members[member].facts.empty(); }
};

// Reads the branch, plans, and stages the state to solve on. Runs on the pool.
Status Plan(CommitRun& run) {
  EMEND_ASSIGN_OR_RETURN(
      const storage::history::Ref ref,
      run.batch.repository.ReadRef(storage::history::RefKind::kBranch, run.common().branch));
  std::vector<WantedFacts> wanted;
  for (const CommitFields* request : run.requests)
    wanted.push_back({&request->facts, request->force, request->stack});
  run.results.resize(wanted.size());
  return PlanBatch(run.batch, ref.commit, wanted);
}

// Of a commit that finds all its facts held: whether the model says them.
Awaitable<Status> MeasureHeld(Batch* batch, WorkerSession* session) {
  EMEND_CO_RETURN_IF_ERROR(co_await session->Open(batch->plan.parent.state));
  co_return co_await MeasureBatch(batch, session, On::kParent);
}

Status CheckAllRequired(const CommitRun& run) {
  if (!run.common().evaluate) return OkStatus();
  for (std::size_t i = 0; i < run.requests.size(); ++i)
    EMEND_RETURN_IF_ERROR(CheckRequired(run.requests[i]->required, run.batch.plan.members[i],
                                        run.batch.measures.members[i]));
  return OkStatus();
}

std::string DefaultMessage(const MemberPlan& plan) {
  const std::string first = plan.facts.front().subject + " -> " + plan.facts.front().target;
  return plan.facts.size() == 1
             ? first
             : "Edit " + std::to_string(plan.facts.size()) + " facts (" + first + ", ...)";
}

// What a commit's result says, of itself and of the solve that it shares with others.
std::string ResultOf(const CommitRun& run, std::size_t member) {
  const CommitResult& result = run.results[member];
  const MemberPlan& plan = run.batch.plan.members[member];
  ordered_json json = LocatedJson(result.commit, result.state);
  json["branch"] = run.common().branch;
  json["edits"] = run.IsSolved(member) ? run.batch.staged[member].added.size() : 0;
  json["superseded"] = plan.superseded.size();
  json["skipped"] = plan.held.size();    // held already with the same target
  json["duplicates"] = plan.duplicates;  // said more than once in the request
  AddSolved(run.batch, member, json);
  json["coalesced"] = result.coalesced;
  return json.dump();
}

// Ids of the other operations that were solved with this one.
std::vector<std::string> SolvedWith(const CommitRun& run, std::size_t member) {
  std::vector<std::string> others;
  for (std::size_t i = 0; i < run.results.size(); ++i) {
    if (i != member && run.IsSolved(i)) others.push_back(run.operations[i].id.value());
  }
  return others;
}

// One outcome a member. Each commit stands on the one before; a member whose facts are all held
// already makes none.
Outcomes OutcomesOf(CommitRun& run) {
  Outcomes outcomes;
  CommitId head = run.batch.plan.head;
  StateId state = run.batch.plan.parent.state;
  for (std::size_t i = 0; i < run.results.size(); ++i) {
    CommitResult& result = run.results[i];
    JobOutcome& outcome = outcomes.emplace_back();
    if (run.IsSolved(i)) {
      Commit commit = CommitOf(run.batch, i, head, run.operations[i].principal);
      const std::string& message = run.requests[i]->message;
      commit.message = message.empty() ? DefaultMessage(run.batch.plan.members[i]) : message;
      outcome.apply = [repository = run.batch.repository, branch = run.common().branch, head,
                       commit](storage::records::Transaction& transaction, std::string&) -> Status {
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
    ReadMeasured(reader, fields_.evaluate, fields_.required);
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
  EMEND_CO_ASSIGN_OR_RETURN(Repository repository, co_await OpenRepository(input.context, repo));
  std::vector<const CommitFields*> requests;
  for (const auto& request : input.requests)
    requests.push_back(&static_cast<const CommitRequest&>(*request).fields_);
  CommitRun run{.operations = input.operations,
                .requests = std::move(requests),
                .batch = {.context = input.context,
                          .operation = input.operations.front().id,
                          .control = input.control,
                          .repository = std::move(repository),
                          .asked = fields_.settings,
                          .is_measured = fields_.evaluate}};
  const SteadyTime begin = run.batch.Now();
  EMEND_CO_RETURN_IF_ERROR(co_await Blocking(context.runtime, [&run] { return Plan(run); }));
  WorkerSession session(context, run.batch.repository, input.control);
  if (run.batch.plan.fact_count() > 0) {
    EMEND_CO_RETURN_IF_ERROR(co_await RunBatch(&run.batch, &session));
    EMEND_CO_RETURN_IF_ERROR(CheckAllRequired(run));
    run.batch.seconds["total"] = SecondsBetween(begin, run.batch.Now());
  } else if (fields_.evaluate) {
    EMEND_CO_RETURN_IF_ERROR(co_await MeasureHeld(&run.batch, &session));
  }
  co_return OutcomesOf(run);
}

}  // namespace

extern const OperationKind kCommit;
const OperationKind kCommit = {"commit", "merge", Subject::kRepo, ReadAs<CommitRequest>};

}  // namespace emend::coordinator::operations
