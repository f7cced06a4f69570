// tune: settings are tried on facts that somebody holds for it, and the best are kept as the repo's
// preset. Nothing is committed: what a try stages nobody comes to point to.
#include <cmath>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>
#include <vector>

#include "coordinator/operations/batch.h"
#include "coordinator/operations/facts_field.h"
#include "coordinator/operations/measures.h"
#include "coordinator/operations/tune_search.h"
#include "coordinator/store/preset.h"

namespace emend::coordinator::operations {
namespace {

using nlohmann::ordered_json;

constexpr std::uint64_t kTriesAbout = 12;  // of a search: what the scheduler reckons with

ordered_json SettingsJson(const SolveSettings& settings) {
  ordered_json json;
  for (const auto& [name, text] : TunedSettings(settings)) json[name] = text;
  return json;
}

// What was not measured is NaN, which is written as null.
ordered_json TryJson(const Try& made) {
  const TryMeasures& measures = made.measures;
  return {{"settings", SettingsJson(made.settings)},
          {"es", measures.es},
          {"ps", measures.ps},
          {"ns", measures.ns},
          {"taken", measures.taken},
          {"kept", measures.kept},
          {"kl", measures.kl},
          {"perplexity_before", measures.perplexity_before},
          {"perplexity_after", measures.perplexity_after},
          {"mean", measures.Mean()},
          {"seconds", Milliseconds(made.seconds)}};
}

TryMeasures MeasuresOf(const MemberMeasures& member) {
  const EvaluateReply& after = *member.after;
  return {.es = after.es,
          .ps = after.ps,
          .ns = after.ns,
          .taken = TakenOf(after.facts),
          .facts = after.facts.size(),
          .kept = after.neighbours > 0 ? after.kept : std::nan(""),
          .kl = after.kl,
          .perplexity_before = member.before->perplexity,
          .perplexity_after = after.perplexity};
}

// Those that have covariances, and those that have none.
struct Windows {
  std::vector<Window> known;
  std::vector<Window> left_out;
};
// The defaults' come first, and must be known. Blocks.
Result<Windows> FindWindows(const Batch& batch, std::int64_t layer_count) {
  Windows windows;
  for (const Window& window : WindowsOf(layer_count, batch.settings.layers)) {
    const Status found = store::FindStatistics(batch.context->store, batch.repository.record().id,
                                               LayerNumbers(window))
                             .status();
    const bool is_missing = found.code() == StatusCode::kFailedPrecondition;
    if (windows.known.empty() || !is_missing) EMEND_RETURN_IF_ERROR(found);
    (is_missing ? windows.left_out : windows.known).push_back(window);
  }
  return windows;
}

// Says in every phase which try it is of, and how good the best one is.
void SayTry(const JobControl& control, const TuneSearch& search, Batch* batch,
            WorkerSession* session) {
  std::string label =
      "try " + std::to_string(search.tries().size() + 1) + " of " + std::to_string(search.total());
  if (!search.tries().empty())
    label += ", best " + std::to_string(std::lround(search.tries()[search.Best()].measures.Mean()));
  batch->control.progress = [report = control.progress, label](
                                const std::string& phase, std::uint64_t done, std::uint64_t total) {
    report(label + ": " + phase, done, total);
  };
  session->SetProgress(batch->control.progress);
}

Awaitable<Result<Try>> MakeTry(Batch* batch, WorkerSession* session, SolveSettings settings) {
  const SteadyTime begin = batch->Now();
  batch->settings = std::move(settings);
  batch->measures.is_chat_asked = false;  // nothing is chosen by it
  EMEND_CO_RETURN_IF_ERROR(co_await FindBatchStatistics(batch));
  EMEND_CO_RETURN_IF_ERROR(co_await SolveBatch(batch, session));
  EMEND_CO_RETURN_IF_ERROR(co_await MeasureBatch(batch, session, On::kResult));
  co_return Try{batch->settings, MeasuresOf(batch->measures.members.front()),
                SecondsBetween(begin, batch->Now())};
}

ordered_json ResultOf(const Located& located, const Batch& batch, const TuneSearch& search,
                      const std::vector<Window>& left_out) {
  const EvaluateReply& before = *batch.measures.members.front().before;
  ordered_json json = LocatedJson(located.id, located.commit.state);
  json["n"] = before.facts.size();
  json["before"] = MeasuresJson(ToEvaluation(before));
  json["tries"] = ordered_json::array();
  for (const Try& made : search.tries()) json["tries"].push_back(TryJson(made));
  json["chosen"] = search.Best() + 1;
  json["preset"] = SettingsJson(search.tries()[search.Best()].settings);
  json["layers_left_out"] = ordered_json::array();
  for (const Window& window : left_out) json["layers_left_out"].push_back(LayerNumbers(window));
  return json;
}

store::PresetRecord PresetOf(const JobInput& input, const TuneSearch& search) {
  const Try& chosen = search.tries()[search.Best()];
  const ordered_json measures = {{"n", chosen.measures.facts},
                                 {"default", TryJson(search.tries().front())},
                                 {"chosen", TryJson(chosen)}};
  return {.method = chosen.settings.method,
          .settings = TunedSettings(chosen.settings),
          .measures = measures.dump(),
          .principal = input.operation.principal.name,
          .created_ms = input.context->runtime.clock().WallNow().time_since_epoch().count()};
}

class TuneRequest final : public RevisionRequest {
 public:
  void Read(JsonReader& reader) {
    ReadRevision(reader);
    ReadFacts(reader, facts_);
  }
  Demand DemandOn(const std::string& repo) const override {
    return {.role = Role::kPrepares,
            .pool = Pool::kWorkers,
            .cost = 1 + kTriesAbout * facts_.size(),
            .repo = repo};
  }

 private:
  Awaitable<Result<JobOutcome>> RunOn(JobInput input, Located located) const override {
    JobContext& context = *input.context;
    Batch batch{.context = &context,
                .operation = input.operation.id,
                .control = input.control,
                .repository = located.repository};
    // Solved again where they are held already.
    EMEND_CO_RETURN_IF_ERROR(co_await Blocking(context.runtime, [&] {
      return PlanBatch(batch, located.id, {{.facts = &facts_, .force = true}});
    }));
    batch.plan.earlier.clear();  // not asked again at every try
    WorkerSession session(context, batch.repository, input.control);
    EMEND_CO_RETURN_IF_ERROR(co_await session.Open(batch.plan.solve_state));
    EMEND_CO_ASSIGN_OR_RETURN(batch.settings,
                              worker::protocol::ResolveSettings({}, session.model().layers));
    EMEND_CO_RETURN_IF_ERROR(co_await SampleTemplates(&batch, &session));
    EMEND_CO_ASSIGN_OR_RETURN(const Windows windows, co_await Blocking(context.runtime, [&] {
                                return FindWindows(batch, session.model().layers);
                              }));
    EMEND_CO_RETURN_IF_ERROR(co_await MeasureBatch(&batch, &session, On::kParent));
    TuneSearch search(batch.settings, windows.known);
    while (auto settings = search.Next()) {
      SayTry(input.control, search, &batch, &session);
      EMEND_CO_ASSIGN_OR_RETURN(Try made, co_await MakeTry(&batch, &session, *std::move(settings)));
      search.Add(std::move(made));
    }
    auto apply = [repository = located.repository, preset = PresetOf(input, search)](
                     storage::records::Transaction& transaction, std::string&) -> Status {
      store::PutPreset(transaction, repository, preset);
      return OkStatus();
    };
    co_return JobOutcome{ResultOf(located, batch, search, windows.left_out).dump(),
                         std::move(apply)};
  }

  std::vector<storage::objects::Fact> facts_;
};

}  // namespace

extern const OperationKind kTune;
const OperationKind kTune = {"tune", "merge", Subject::kRepo, ReadAs<TuneRequest>};

}  // namespace emend::coordinator::operations
