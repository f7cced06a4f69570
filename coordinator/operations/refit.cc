// refit: what a branch holds is solved again as one batch, from the targets that are stored with
// its edits; with `without`, as if that commit had never been.
#include <cstdint>
#include <limits>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>
#include <vector>

#include "coordinator/operations/batch.h"
#include "coordinator/operations/batch_outcome.h"
#include "coordinator/operations/measures.h"
#include "coordinator/operations/refit_plan.h"
#include "storage/base/failpoint.h"

namespace emend::coordinator::operations {
namespace {

using nlohmann::ordered_json;

struct RefitFields {
  std::string branch = "main";
  std::string without;  // revision; empty: everything stays
  std::string message;
  // in place of those that the newest commit was solved with
  std::vector<std::pair<std::string, std::string>> settings;
  std::vector<std::vector<std::string>> context_templates;
  bool preview = false;  // commit nothing
  bool evaluate = true;  // on the head and on the result
  Required required;
};

struct RefitRun {
  const RefitFields& fields;
  Batch batch;
  StateId subtracted;
  std::vector<EditId> blocked;
  BatchMeasures of_subtracted = {};  // of a preview
};

Status CheckTargetLayer(const worker::protocol::SettingsRequest& asked, LayerIndex found) {
  EMEND_ASSIGN_OR_RETURN(const auto settings,
                         ResolveSettings(asked, std::numeric_limits<std::int32_t>::max()));
  if (settings.layers.back() == found) return OkStatus();
  return {StatusCode::kInvalidArgument, "mixed_target_layers",
          "refitting with layers that end at " + std::to_string(settings.layers.back().value()) +
              ": the targets that are stored were found in layer " + std::to_string(found.value()) +
              ", and the layers must end there"};
}

// Runs on the pool.
Status Plan(RefitRun& run) {
  storage::kv::WriteBatch staging;
  EMEND_ASSIGN_OR_RETURN(RefitPlan refit, PlanRefit(run.batch.repository, run.fields.branch,
                                                    run.fields.without, staging));
  run.batch.plan = std::move(refit.plan);
  run.batch.targets = std::move(refit.targets);
  run.batch.asked = std::move(refit.settings);
  for (const auto& setting : run.fields.settings) run.batch.asked.values.push_back(setting);
  EMEND_RETURN_IF_ERROR(CheckTargetLayer(run.batch.asked, refit.target_layer));
  if (!run.fields.context_templates.empty())
    run.batch.asked.context_templates = run.fields.context_templates;
  run.batch.measures.beside = "taken_out";
  run.subtracted = refit.subtracted;
  run.blocked = std::move(refit.blocked);
  return run.batch.context->store.Write(staging, storage::kv::Durability::kUnsynced);
}

// The same facts where the edits are taken out and nothing is solved again.
Awaitable<Status> MeasureSubtracted(RefitRun& run, WorkerSession& session) {
  if (!run.fields.preview || !run.fields.evaluate) co_return OkStatus();
  run.of_subtracted.members.resize(1);
  run.of_subtracted.members.front().before = run.batch.measures.members.front().before;
  run.of_subtracted.earlier_before = run.batch.measures.earlier_before;
  run.of_subtracted.beside = run.batch.measures.beside;
  co_return co_await Measure(&session, &run.batch.plan, run.batch.repository.record().base,
                             run.subtracted, &run.of_subtracted);
}

std::string MessageOf(const RefitRun& run) {
  if (!run.fields.message.empty()) return run.fields.message;
  const std::string count = std::to_string(run.batch.plan.fact_count());
  return run.fields.without.empty()
             ? "Refit " + count + " facts"
             : "Revert " + run.fields.without + " and refit the other " + count + " facts";
}

std::uint64_t BytesOf(const worker::protocol::SolveReply& solved) {
  std::uint64_t bytes = 0;
  for (const auto& edit : solved.edits)
    bytes += edit.delta_payload.size() + edit.keys_payload.size() + edit.target_payload.size();
  return bytes;
}

std::string ResultOf(const RefitRun& run, const Commit& commit) {
  const CommitPlan& plan = run.batch.plan;
  ordered_json json = run.fields.preview ? LocatedJson(plan.head, commit.state)
                                         : LocatedJson(IdOf(commit), commit.state);
  json["branch"] = run.fields.branch;
  json["preview"] = run.fields.preview;
  json["edits"] = plan.fact_count();
  json["removed"] = plan.members.front().superseded.size();
  json["without"] = run.fields.without;
  json["bytes"] = BytesOf(run.batch.solved);
  json["blocked"] = ordered_json::array();
  for (const EditId& edit : run.blocked) json["blocked"].push_back(edit.Hex());
  AddSolved(run.batch, 0, json);
  if (!run.of_subtracted.members.empty()) {
    const MemberMeasures& measured = run.of_subtracted.members.front();
    json["subtracted"] =
        EvidenceJson(plan.members.front(), run.batch.staged.front().edits, run.of_subtracted, 0);
    json["subtracted"].erase("facts");
    json["subtracted"]["evaluation"] = MeasuresJson(ToEvaluation(*measured.after));
  }
  return json.dump();
}

class RefitRequest final : public SoloRequest {
 public:
  void Read(JsonReader& reader) {
    reader.Filled("branch", fields_.branch);
    reader.Filled("without", fields_.without);
    reader.Text("message", fields_.message);
    reader.TextMap("settings", fields_.settings);
    reader.TextGroups("context_templates", fields_.context_templates);
    reader.Flag("preview", fields_.preview);
    ReadMeasured(reader, fields_.evaluate, fields_.required);
    if (fields_.preview && !fields_.required.empty())
      reader.Fail("require", "a preview commits nothing, whatever is measured: leave one out");
  }
  Demand DemandOn(const std::string& repo) const override {
    return {.role = fields_.preview ? Role::kReads : Role::kEdits,
            .pool = Pool::kWorkers,
            .cost = jobs::kWholeModelCost,
            .repo = repo,
            .branch = fields_.branch};
  }
  std::string_view Revision() const override { return fields_.without; }

 private:
  Awaitable<Result<JobOutcome>> RunAlone(JobInput input) const override;

  RefitFields fields_;
};

Awaitable<Result<JobOutcome>> RefitRequest::RunAlone(JobInput input) const {
  JobContext& context = *input.context;
  EMEND_CO_ASSIGN_OR_RETURN(Repository repository,
                            co_await OpenRepository(input.context, RepoName(input.operation.repo)));
  RefitRun run{.fields = fields_,
               .batch = {.context = input.context,
                         .operation = input.operation.id,
                         .control = input.control,
                         .repository = std::move(repository),
                         .is_measured = fields_.evaluate},
               .subtracted = {},
               .blocked = {}};
  const SteadyTime begin = run.batch.Now();
  EMEND_CO_RETURN_IF_ERROR(co_await Blocking(context.runtime, [&run] { return Plan(run); }));
  WorkerSession session(context, run.batch.repository, input.control);
  EMEND_CO_RETURN_IF_ERROR(co_await RunBatch(&run.batch, &session));
  EMEND_CO_RETURN_IF_ERROR(co_await MeasureSubtracted(run, session));
  if (fields_.evaluate)
    EMEND_CO_RETURN_IF_ERROR(CheckRequired(fields_.required, run.batch.plan.members.front(),
                                           run.batch.measures.members.front()));
  run.batch.seconds["total"] = SecondsBetween(begin, run.batch.Now());
  Commit commit = CommitOf(run.batch, 0, run.batch.plan.head, input.operation.principal);
  commit.kind = storage::objects::CommitKind::kRefit;
  commit.message = MessageOf(run);
  JobOutcome outcome{ResultOf(run, commit), {}};
  if (fields_.preview) co_return outcome;
  outcome.apply = [repository = run.batch.repository, branch = fields_.branch,
                   head = run.batch.plan.head,
                   commit](storage::records::Transaction& transaction, std::string&) -> Status {
    EMEND_FAILPOINT("refit.before_advance");
    EMEND_RETURN_IF_ERROR(CheckStaged(repository, commit.added));
    return repository.Advance(transaction, branch, head, commit).status();
  };
  co_return outcome;
}

}  // namespace

extern const OperationKind kRefit;
const OperationKind kRefit = {"refit", "merge", Subject::kRepo, ReadAs<RefitRequest>};

}  // namespace emend::coordinator::operations
