#include "worker/eval/completion_engine.h"

#include <ATen/ATen.h>

#include <span>
#include <string>
#include <utility>

#include "storage/base/log.h"
#include "worker/collective/exchange.h"
#include "worker/eval/completion_row.h"
#include "worker/eval/completion_schedule.h"
#include "worker/eval/state_models.h"
#include "worker/eval/step_plan.h"
#include "worker/model/key_value_cache.h"

namespace emend::worker::eval {
namespace {

ScheduleLimits LimitsOf(const model::Transformer& base, const CompletionEngineOptions& options) {
  return {.rows_max = options.rows_max,
          .cache_bytes_max = options.cache_bytes_max,
          .prefill_tokens_max = options.prefill_tokens_max,
          .token_bytes = model::KeyValueCache::TokenBytes(base),
          .context = base.config().context};
}

std::vector<StatePass> PassesWithout(const StepFailures& failures, std::vector<StatePass> passes) {
  std::erase_if(passes, [&](const StatePass& pass) { return failures.Has(pass.state); });
  return passes;
}

std::span<const float> LogitsAt(const at::Tensor& logits, std::int64_t row) {
  return {logits.const_data_ptr<float>() + row * logits.size(1),
          static_cast<std::size_t>(logits.size(1))};
}

}  // namespace

CompletionEngine::CompletionEngine(const model::Transformer& base,
                                   const tokenizer::Tokenizer& tokenizer, FindModel find_model,
                                   const CompletionEngineOptions& options)
    : base_(base),
      tokenizer_(tokenizer),
      options_(options),
      schedule_(std::make_unique<CompletionSchedule>(LimitsOf(base, options))),
      models_(std::make_unique<StateModels>(base.communicator(), std::move(find_model))) {
  EMEND_CHECK(options.rows_max > 0 && options.prefill_tokens_max > 0,
              "a completion engine needs a row and a prompt token a step");
}

CompletionEngine::~CompletionEngine() {
  EndAll(Status(StatusCode::kUnavailable, "engine_stopped",
                "completing a text: the engine was stopped"));
}

Status CompletionEngine::Add(CompletionRequest request, CompletionListener listener) {
  EMEND_CHECK(base_.communicator().rank() == 0, "a completion was added on a rank that follows");
  EMEND_RETURN_IF_ERROR(CheckRequest(base_.config(), request));
  auto row = std::make_unique<CompletionRow>(std::move(request), std::move(listener),
                                             base_.config(), tokenizer_);
  if (!schedule_->CanEverFit(row->tokens_max())) {
    return {StatusCode::kResourceExhausted, "completion_too_long",
            "completing a text of up to " + std::to_string(row->tokens_max()) +
                " tokens: their keys and values are over the " +
                std::to_string(options_.cache_bytes_max) +
                " bytes that this worker keeps for all; ask for fewer tokens"};
  }
  if (schedule_->waiting() >= options_.waiting_max) {
    return {StatusCode::kResourceExhausted, "queue_full",
            "completing a text: " + std::to_string(schedule_->waiting()) +
                " are waiting, as many as this worker lets; ask again later"};
  }
  schedule_->Add(std::move(row));
  return OkStatus();
}

Result<bool> CompletionEngine::Step() {
  schedule_->EndCancelled();
  schedule_->Sweep();
  const StepPlan plan = schedule_->Plan();
  if (base_.communicator().size() > 1) {
    const Status told =
        collective::BroadcastBytes(base_.communicator(), EncodePlan(plan), /*root=*/0).status();
    if (!told.ok()) EndAll(told);
    EMEND_RETURN_IF_ERROR(told);
  }
  const StepFailures failures = models_->Prepare(plan);
  for (const auto& [state, status] : failures.opened) schedule_->OpenRefused(state, status);
  for (const auto& [state, status] : failures.caches) schedule_->CacheRefused(state, status);
  for (const CacheChange& change : plan.caches) {
    if (!failures.Has(change.state)) schedule_->CacheChanged(change.state);
  }
  Run(PassesWithout(failures, plan.passes));
  schedule_->Sweep();
  return !schedule_->idle();
}

void CompletionEngine::Run(const std::vector<StatePass>& passes) {
  if (passes.empty()) return;
  const Result<at::Tensor> logits = models_->Run(passes);
  std::int64_t taken = 0;
  for (const StatePass& pass : passes) {
    for (const PlannedRun& run : pass.runs) {
      CompletionRow& row = schedule_->RowAt(pass.state, run.place.slot);
      if (!logits.ok()) {
        row.End(logits.status());
        continue;
      }
      row.Ran(run.place.tokens);
      for (std::int64_t i = 0; i < run.logits; ++i) row.Take(LogitsAt(*logits, taken++));
    }
  }
}

// What rank 0 makes of a failure, the next plan says.
Status CompletionEngine::Follow() {
  EMEND_ASSIGN_OR_RETURN(const std::string bytes,
                         collective::BroadcastBytes(base_.communicator(), {}, /*root=*/0));
  EMEND_ASSIGN_OR_RETURN(const StepPlan plan, DecodePlan(bytes));
  const StepFailures failures = models_->Prepare(plan);
  const std::vector<StatePass> passes = PassesWithout(failures, plan.passes);
  const Status run = passes.empty() ? OkStatus() : models_->Run(passes).status();
  if (!run.ok())
    LogWarning("followed_step_failed", {{"rank", base_.communicator().rank()}, {"status", run}});
  return OkStatus();
}

void CompletionEngine::EndAll(const Status& status) {
  schedule_->EndAll(status);
  models_->Clear();
}

std::size_t CompletionEngine::running() const { return schedule_->running(); }
std::size_t CompletionEngine::waiting() const { return schedule_->waiting(); }
std::int64_t CompletionEngine::cache_bytes() const { return models_->cache_bytes(); }

}  // namespace emend::worker::eval
