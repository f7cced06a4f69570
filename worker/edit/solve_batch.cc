#include "worker/edit/solve_batch.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <chrono>
#include <set>
#include <utility>

#include "storage/base/archive.h"
#include "storage/base/clock.h"
#include "worker/collective/exchange.h"
#include "worker/edit/answer_gradients.h"
#include "worker/edit/product_kernels.h"
#include "worker/edit/prompts.h"
#include "worker/edit/sweep.h"
#include "worker/edit/targets.h"
#include "worker/edit/thread_team.h"
#include "worker/model/guard.h"

namespace emend::worker::edit {
namespace {

// Adds the time between its construction and its end to `seconds`.
class Timer {
 public:
  explicit Timer(double& seconds) : seconds_(seconds), start_(SystemClock().Now()) {}
  ~Timer() { seconds_ += std::chrono::duration<double>(SystemClock().Now() - start_).count(); }
  Timer(const Timer&) = delete;
  Timer& operator=(const Timer&) = delete;

 private:
  double& seconds_;
  const SteadyTime start_;
};

std::vector<float> RowOf(const at::Tensor& matrix, std::int64_t row) {
  const at::Tensor values = matrix.select(0, row).to(at::kFloat).contiguous();
  return {values.const_data_ptr<float>(), values.const_data_ptr<float>() + values.numel()};
}

// The first fact (column of `columns`) with a value that is not finite.
Status CheckFinite(const at::Tensor& columns, const std::string& what) {
  const at::Tensor bad = columns.isfinite().all(0).logical_not().nonzero();
  if (bad.numel() == 0) return OkStatus();
  return {StatusCode::kFailedPrecondition, "non_finite",
          "fact " + std::to_string(bad.flatten()[0].item<std::int64_t>()) + ": " + what +
              " is NaN or infinite; the model or the settings are not usable"};
}

using Deltas = std::vector<storage::delta::EditDelta>;

// What the rank that solves a layer tells the others.
struct Solved {
  Deltas deltas;
  double leverage = 0;
  double weight = 0;
  std::int64_t frozen = 0;
};

// The same as bytes between ranks.
struct SolvedBytes {
  double leverage = 0;
  double weight = 0;
  std::int64_t frozen = 0;
  std::vector<std::string> payloads;  // an edit each
  static auto Fields(auto& m) { return std::tie(m.leverage, m.weight, m.frozen, m.payloads); }
};

std::string EncodeSolved(const Solved& solved) {
  SolvedBytes message{solved.leverage, solved.weight, solved.frozen, {}};
  for (const storage::delta::EditDelta& delta : solved.deltas)
    message.payloads.push_back(storage::delta::EncodePayload(delta));
  Encoder out;
  WriteFields(out, message);
  return std::move(out).bytes();
}

Result<Solved> DecodeSolved(std::string_view bytes) {
  SolvedBytes message;
  Decoder in(bytes);
  ReadFields(in, message);
  EMEND_RETURN_IF_ERROR(in.Finish().WithContext("reading a layer's deltas from another rank"));
  Solved solved{{}, message.leverage, message.weight, message.frozen};
  for (const std::string& payload : message.payloads) {
    EMEND_ASSIGN_OR_RETURN(solved.deltas.emplace_back(), storage::delta::DecodeEditDelta(payload));
  }
  return solved;
}

// One batch under way.
class Batch {
 public:
  Batch(const BatchInput& input, std::vector<PromptRow> rows)
      : input_(input),
        rows_(std::move(rows)),
        fact_count_(static_cast<std::int64_t>(input.facts.size())),
        team_(TeamSize(input.model)),
        solution_{.edits = {}, .layers = {}, .seconds = {}} {
    solution_.edits.resize(input.facts.size());
    for (const PromptRow& row : rows_) {
      if (row.kind == RowKind::kBare) solution_.edits[row.fact].lookup = row.lookup;
    }
  }

  Result<BatchSolution> Run() {
    EMEND_RETURN_IF_ERROR(CheckGiven());
    EMEND_RETURN_IF_ERROR(protocol::FindsTargets(input_.settings.method) ? RunTargets()
                                                                         : RunGradients());
    const auto layers = static_cast<std::int64_t>(input_.settings.layers.size());
    EMEND_RETURN_IF_ERROR(Report(input_.progress, {"solve", layers, layers}));
    SortByTensor();
    return std::move(solution_);
  }

 private:
  Status RunTargets() {
    const std::vector<LayerIndex>& layers = input_.settings.layers;
    const bool own_targets = input_.settings.own_targets == 1;
    if (!own_targets) EMEND_RETURN_IF_ERROR(FindTargets(layers.back(), input_.model));
    KeySweep sweep(input_.model, rows_, fact_count_, input_.memory_bytes_max, team_);
    for (std::size_t i = 0; i < layers.size(); ++i) {
      if (own_targets) EMEND_RETURN_IF_ERROR(FindTargets(layers[i], sweep.model()));
      EMEND_RETURN_IF_ERROR(Report(input_.progress, {"solve", static_cast<std::int64_t>(i),
                                                     static_cast<std::int64_t>(layers.size())}));
      const Share share = own_targets
                              ? Share{layers[i], 1}
                              : Share{layers.back(), static_cast<double>(layers.size() - i)};
      EMEND_RETURN_IF_ERROR(SolveLayer(layers[i], share, sweep));
    }
    return OkStatus();
  }

  // All layers by what they put out before any of them was changed, as published.
  Status RunGradients() {
    EMEND_ASSIGN_OR_RETURN(const AnswerGradients found, FindGradients());
    columns_ = found.facts;
    for (const auto& [layer, gradients] : found.layers) {
      EMEND_RETURN_IF_ERROR(
          Report(input_.progress, {"solve", static_cast<std::int64_t>(solution_.layers.size()),
                                   static_cast<std::int64_t>(found.layers.size())}));
      LayerOutcome outcome = OutcomeOf(layer);
      outcome.keys = gradients.keys;
      outcome.residuals = UltraEditValues(gradients, input_.settings.v_lr);
      EMEND_RETURN_IF_ERROR(FinishLayer(std::move(outcome)).status());
    }
    return OkStatus();
  }

  Result<AnswerGradients> FindGradients() {
    const Timer timer(solution_.seconds.targets);
    EMEND_ASSIGN_OR_RETURN(AnswerGradients found,
                           TakeGradients({.model = input_.model,
                                          .rows = rows_,
                                          .fact_count = fact_count_,
                                          .layers = input_.settings.layers,
                                          .memory_bytes_max = input_.memory_bytes_max,
                                          .team = team_,
                                          .progress = input_.progress}));
    if (found.facts.numel() < 2) {
      return Status(StatusCode::kFailedPrecondition, "too_few_answers",
                    "solving by " + input_.settings.method +
                        ": the batch's answers have one token in all, and it goes by how tokens "
                        "differ from their mean; commit more facts at once, or by another method");
    }
    for (std::int64_t fact = 0; fact < fact_count_; ++fact) {
      EditSolution& edit = solution_.edits[static_cast<std::size_t>(fact)];
      edit.target.layer = input_.settings.layers.back();
      edit.steps = 1;
      edit.loss = found.losses[fact].item<double>();
    }
    return found;
  }

  // Of what `target_layer` still lacks, one part of `parts`.
  struct Share {
    LayerIndex target_layer;
    double parts = 1;
  };

  Status FindTargets(LayerIndex layer, const model::Transformer& model) {
    const Timer timer(solution_.seconds.targets);
    Targets found = layer == input_.settings.layers.back() ? input_.targets : Targets();
    if (!found.values.defined()) {
      protocol::SolveSettings settings = input_.settings;
      settings.layers = {layer};
      EMEND_ASSIGN_OR_RETURN(found, OptimiseTargets({.model = model,
                                                     .original = input_.original,
                                                     .rows = rows_,
                                                     .fact_count = fact_count_,
                                                     .settings = settings,
                                                     .memory_bytes_max = input_.memory_bytes_max,
                                                     .team = team_,
                                                     .progress = input_.progress}));
    }
    targets_ = found.values.to(at::kCPU, at::kFloat);
    for (std::size_t fact = 0; fact < found.steps.size(); ++fact) {
      solution_.edits[fact].steps += found.steps[fact];
      solution_.edits[fact].loss = found.losses[fact];
    }
    for (std::int64_t fact = 0; fact < fact_count_; ++fact)
      solution_.edits[fact].target = {layer, RowOf(targets_, fact)};
    return CheckFinite(targets_.t(), "its target vector");
  }

  Status CheckGiven() const {
    const Targets& given = input_.targets;
    if (!given.values.defined()) return OkStatus();
    const bool has_steps =
        given.steps.size() == input_.facts.size() && given.losses.size() == input_.facts.size();
    if (!has_steps && !(given.steps.empty() && given.losses.empty())) {
      return InvalidArgument(
          "solving a batch of " + std::to_string(fact_count_) +
          " facts: the targets given must have steps and losses for all or none");
    }
    if (given.values.sizes() == at::IntArrayRef({fact_count_, input_.model.config().hidden}))
      return OkStatus();
    return InvalidArgument("solving a batch of " + std::to_string(fact_count_) +
                           " facts: the targets given must be [" + std::to_string(fact_count_) +
                           ", " + std::to_string(input_.model.config().hidden) + "]");
  }

  Status SolveLayer(LayerIndex layer, const Share& share, KeySweep& sweep) {
    LayerOutcome outcome = OutcomeOf(layer);
    {
      const Timer timer(solution_.seconds.keys);
      outcome.keys = sweep.Keys(layer);
      outcome.residuals = sweep.Residuals(layer, share.target_layer, targets_) / share.parts;
    }
    EMEND_ASSIGN_OR_RETURN(const at::Tensor weight, FinishLayer(std::move(outcome)));
    sweep.SetWeight(layer, weight);
    return OkStatus();
  }

  LayerOutcome OutcomeOf(LayerIndex layer) const {
    return {
        .layer = layer, .tensor = input_.model.Down(layer).tensors[0], .keys = {}, .residuals = {}};
  }

  // From keys and residuals on; what the layer serves.
  Result<at::Tensor> FinishLayer(LayerOutcome outcome) {
    const std::string where = " at layer " + std::to_string(outcome.layer.value());
    EMEND_RETURN_IF_ERROR(CheckFinite(ByFact(outcome.keys), "its key" + where));
    EMEND_RETURN_IF_ERROR(CheckFinite(ByFact(outcome.residuals), "its residual" + where));
    EMEND_ASSIGN_OR_RETURN(CommittedLayer committed, Commit(outcome));
    EMEND_RETURN_IF_ERROR(MeasureNorms(committed.weight, outcome));
    at::Tensor weight = committed.weight;
    KeepEdits(outcome, std::move(committed));
    solution_.layers.push_back(std::move(outcome));
    return weight;
  }

  // [.., facts] of a column for each: those that a fact has several of by their mean.
  at::Tensor ByFact(const at::Tensor& columns) const {
    if (!columns_.defined()) return columns;
    const at::Tensor sums = at::zeros({columns.size(0), fact_count_}, columns.options())
                                .index_add_(1, columns_, columns);
    return sums / at::bincount(columns_, {}, fact_count_);
  }
  // One an edit, of one a column.
  Deltas ByFact(Deltas columns) const {
    if (!columns_.defined() || columns.empty()) return columns;
    Deltas facts(static_cast<std::size_t>(fact_count_));
    for (std::size_t i = 0; i < columns.size(); ++i)
      Append(std::move(columns[i]),
             facts[static_cast<std::size_t>(
                 columns_[static_cast<std::int64_t>(i)].item<std::int64_t>())]);
    return facts;
  }
  static void Append(storage::delta::EditDelta from, storage::delta::EditDelta& to) {
    for (storage::delta::TensorDelta& delta : from.tensors) {
      const auto there =
          std::ranges::find(to.tensors, delta.tensor, &storage::delta::TensorDelta::tensor);
      if (there == to.tensors.end()) {
        to.tensors.push_back(std::move(delta));
      } else {
        std::ranges::move(delta.columns, std::back_inserter(there->columns));
      }
    }
  }

  // The rank that holds the layer's statistics solves and quantises; every rank applies what comes
  // of it to its part.
  Result<CommittedLayer> Commit(LayerOutcome& outcome) {
    LayerUpdate update{
        .layer = outcome.layer, .adjusted_keys = {}, .residuals = outcome.residuals, .metric = {}};
    Solved solved;
    collective::Communicator& communicator = input_.model.communicator();
    const int holder = input_.solver.HolderOf(outcome.layer);
    if (communicator.rank() == holder) {
      Result<Solved> own = SolveAndQuantise(outcome, update);
      if (own.ok()) solved = *own;
      if (communicator.size() == 1) EMEND_RETURN_IF_ERROR(own.status());
      const Result<std::string> bytes =
          own.ok() ? Result<std::string>(EncodeSolved(*own)) : Result<std::string>(own.status());
      if (communicator.size() > 1)
        EMEND_RETURN_IF_ERROR(collective::BroadcastOutcome(communicator, bytes, holder).status());
    } else {
      EMEND_ASSIGN_OR_RETURN(const std::string bytes,
                             collective::BroadcastOutcome(communicator, std::string(), holder));
      EMEND_ASSIGN_OR_RETURN(solved, DecodeSolved(bytes));
    }
    outcome.leverage = solved.leverage;
    outcome.weight = solved.weight;
    outcome.frozen = solved.frozen;
    CommittedLayer committed{.weight = {}, .deltas = std::move(solved.deltas)};
    const Timer timer(solution_.seconds.apply);
    auto weight = input_.committer.Apply(update, committed.deltas);
    EMEND_RETURN_IF_ERROR(collective::AgreeOn(communicator, weight.status()));
    committed.weight = std::move(*weight);
    return committed;
  }

  Result<Solved> SolveAndQuantise(const LayerOutcome& outcome, LayerUpdate& update) {
    Solved result;
    {
      const Timer timer(solution_.seconds.solve);
      EMEND_ASSIGN_OR_RETURN(LayerSolution solution,
                             input_.solver.Solve({.layer = outcome.layer,
                                                  .settings = input_.settings,
                                                  .keys = outcome.keys,
                                                  .past_keys = PastKeysOf(outcome.layer)}));
      update.adjusted_keys = std::move(solution.adjusted_keys);
      update.metric = std::move(solution.metric);
      result.leverage = solution.leverage;
      result.weight = solution.weight;
      result.frozen = solution.frozen;
    }
    const Timer timer(solution_.seconds.apply);
    EMEND_ASSIGN_OR_RETURN(result.deltas, input_.committer.Quantise(update));
    return result;
  }

  at::Tensor PastKeysOf(LayerIndex layer) const {
    const auto found = input_.past_keys.find(layer);
    return found == input_.past_keys.end() ? at::Tensor() : found->second;
  }

  // Over all ranks' parts.
  Status MeasureNorms(const at::Tensor& after, LayerOutcome& outcome) {
    const at::Tensor before = input_.model.DownWeight(outcome.layer).cpu();
    at::Tensor squares =
        at::stack({before.norm(), (after - before).norm()}).to(at::kDouble).square();
    EMEND_RETURN_IF_ERROR(input_.model.communicator().AllReduceSum(squares));
    outcome.weight_norm = squares[0].sqrt().item<double>();
    outcome.update_norm = squares[1].sqrt().item<double>();
    return OkStatus();
  }

  void KeepEdits(LayerOutcome& outcome, CommittedLayer committed) {
    const std::vector<std::string>& tensors = input_.model.Down(outcome.layer).tensors;
    const auto parts = static_cast<std::int64_t>(tensors.size());
    const at::Tensor keys =
        ByFact(outcome.keys).t().unflatten(1, {parts, -1});  // [facts, parts, d_ff]
    committed.deltas = ByFact(std::move(committed.deltas));
    const at::Tensor is_passed = keys.ne(0).any(2).contiguous();
    const bool* passed = is_passed.const_data_ptr<bool>();
    std::set<std::string> changed;
    for (std::int64_t fact = 0; fact < fact_count_; ++fact) {
      EditSolution& edit = solution_.edits[fact];
      for (std::int64_t part = 0; part < parts; ++part, ++passed) {
        if (parts > 1 && !*passed) continue;
        edit.keys.push_back({.tensor = tensors[static_cast<std::size_t>(part)],
                             .values = RowOf(keys.select(1, part), fact)});
      }
      if (committed.deltas.empty()) continue;
      for (storage::delta::TensorDelta& delta : committed.deltas[fact].tensors) {
        changed.insert(delta.tensor);
        edit.delta.tensors.push_back(std::move(delta));
      }
    }
    if (parts == 1) return;
    outcome.experts = parts;
    outcome.changed = static_cast<std::int64_t>(changed.size());
  }

  void SortByTensor() {
    for (EditSolution& edit : solution_.edits) {
      std::ranges::sort(edit.keys, {}, &storage::delta::EditKey::tensor);
      std::ranges::sort(edit.delta.tensors, {}, &storage::delta::TensorDelta::tensor);
    }
  }

  const BatchInput& input_;
  const std::vector<PromptRow> rows_;
  const std::int64_t fact_count_;
  ThreadTeam team_;
  at::Tensor targets_;  // z of the layers under way, [facts, d] fp32 on the CPU
  at::Tensor columns_;  // int64: whose each column is; undefined: one a fact, in their order
  BatchSolution solution_;
};

Result<BatchSolution> Solve(const BatchInput& input) {
  UseProcessorsKernels();
  const at::NoGradGuard no_grad;
  const families::ModelConfig& config = input.model.config();
  EMEND_RETURN_IF_ERROR(protocol::CheckSettings(input.settings, config.layers));
  if (input.facts.empty())
    return InvalidArgument("solving a batch: it has no facts, expected at least one");
  EMEND_RETURN_IF_ERROR(Report(input.progress, {"targets", 0,
                                                static_cast<std::int64_t>(input.facts.size()) *
                                                    input.settings.v_num_grad_steps}));
  EMEND_ASSIGN_OR_RETURN(
      std::vector<PromptRow> rows,
      EncodeFacts(input.tokenizer, input.facts, input.settings.context_templates, config.context));
  return Batch(input, std::move(rows)).Run();
}

}  // namespace

Result<BatchSolution> SolveBatch(const BatchInput& input) {
  return model::Guarded("solving a batch of " + std::to_string(input.facts.size()) + " facts",
                        [&] { return Solve(input); });
}

}  // namespace emend::worker::edit
