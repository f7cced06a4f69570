#include "worker/edit/targets.h"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <iterator>
#include <memory>
#include <string>
#include <tuple>

#include "worker/edit/delta_optimiser.h"
#include "worker/edit/target_bucket.h"
#include "worker/model/device.h"

namespace emend::worker::edit {
namespace {

// Enough rows for full-speed products, few enough that a step's activations stay in a processor's
// caches.
constexpr std::int64_t kBucketTokensMax = 512;

// Facts [begin, end) and their rows.
struct Chunk {
  std::int64_t begin = 0;
  std::int64_t end = 0;
  std::span<const PromptRow> rows;
  std::int64_t fact_count() const { return end - begin; }
};

TargetInput WithModel(const TargetInput& input, const model::Transformer& model) {
  return {.model = model,
          .original = input.original,
          .rows = input.rows,
          .fact_count = input.fact_count,
          .settings = input.settings,
          .memory_bytes_max = input.memory_bytes_max,
          .team = input.team,
          .progress = input.progress};
}

std::int64_t LayersAbove(const TargetInput& input) {
  return input.model.config().layers - 1 - input.settings.layers.back().value();
}

// What a row keeps over the steps: prefix keys and values above L, its suffix after L, the initial
// prediction.
std::int64_t KeptBytes(const TargetInput& input, const PromptRow& row) {
  const families::ModelConfig& config = input.model.config();
  const std::int64_t prefix =
      2 * row.lookup * config.kv_heads * config.head_dim * LayersAbove(input);
  const std::int64_t prediction = row.kind == RowKind::kDrift ? config.vocabulary : 0;
  return 4 * (prefix + row.suffix() * config.hidden + prediction);
}

// What autograd holds for one token of a step: roughly three tensors of d_ff and fourteen of d a
// layer, and the logits.
std::int64_t StepTokenBytes(const TargetInput& input) {
  const families::ModelConfig& config = input.model.config();
  return 4 * (LayersAbove(input) * (3 * config.intermediate + 14 * config.hidden) +
              3 * config.vocabulary);
}

std::vector<Chunk> CutChunks(const TargetInput& input) {
  std::vector<Chunk> chunks;
  std::int64_t chunk_bytes = 0;
  std::size_t row = 0;
  for (std::int64_t fact = 0; fact < input.fact_count; ++fact) {
    const std::size_t first_row = row;
    std::int64_t fact_bytes = 0;
    for (; row < input.rows.size() && input.rows[row].fact == fact; ++row)
      fact_bytes += KeptBytes(input, input.rows[row]);
    if (chunks.empty() || chunk_bytes + fact_bytes > input.memory_bytes_max / 2) {
      chunks.push_back({.begin = fact, .end = fact, .rows = input.rows.subspan(first_row, 0)});
      chunk_bytes = 0;
    }
    Chunk& chunk = chunks.back();
    chunk.end = fact + 1;
    chunk.rows = {chunk.rows.data(), chunk.rows.size() + (row - first_row)};
    chunk_bytes += fact_bytes;
  }
  return chunks;
}

// Rows with the same key can share a bucket.
auto BucketKey(const PromptRow& row) {
  return std::tuple(row.kind == RowKind::kDrift, row.suffix(), row.target_ids.size());
}

using RowPointers = std::vector<const PromptRow*>;

// Cuts the chunk's rows into buckets of one shape each. Big ones first, so that none is started
// last and waited for.
std::vector<RowPointers> CutBuckets(const TargetInput& input, const Chunk& chunk) {
  RowPointers order;
  for (const PromptRow& row : chunk.rows) order.push_back(&row);
  std::ranges::stable_sort(order, [](const PromptRow* a, const PromptRow* b) {
    return std::tuple(BucketKey(*a), a->lookup) < std::tuple(BucketKey(*b), b->lookup);
  });
  const std::int64_t tokens_max = std::clamp<std::int64_t>(
      input.memory_bytes_max / 2 / input.team.thread_count() / StepTokenBytes(input), 1,
      kBucketTokensMax);
  std::vector<RowPointers> cuts;
  for (const PromptRow* row : order) {
    const bool fits =
        !cuts.empty() && BucketKey(*cuts.back()[0]) == BucketKey(*row) &&
        static_cast<std::int64_t>(cuts.back().size() + 1) * row->suffix() <= tokens_max;
    if (!fits) cuts.emplace_back();
    cuts.back().push_back(row);
  }
  std::ranges::stable_sort(cuts, std::greater(), [](const RowPointers& rows) {
    return static_cast<std::int64_t>(rows.size()) * rows[0]->suffix();
  });
  return cuts;
}

std::vector<std::unique_ptr<TargetBucket>> BuildBuckets(const TargetInput& input,
                                                        const Chunk& chunk) {
  const std::vector<RowPointers> cuts = CutBuckets(input, chunk);
  std::vector<std::unique_ptr<TargetBucket>> buckets(cuts.size());
  input.team.ForEach(static_cast<std::int64_t>(cuts.size()), [&](std::int64_t i) {
    buckets[i] = std::make_unique<TargetBucket>(input.model, input.settings, cuts[i], chunk.begin);
  });
  return buckets;
}

// [facts, 1]: ‖z0‖ in the unedited model.
at::Tensor OriginalNorms(const TargetInput& edited, const Chunk& chunk) {
  const TargetInput input = WithModel(edited, edited.original ? *edited.original : edited.model);
  std::vector<PromptRow> bare;
  std::ranges::copy_if(chunk.rows, std::back_inserter(bare),
                       [](const PromptRow& row) { return row.kind == RowKind::kBare; });
  at::Tensor initial = at::zeros({chunk.fact_count(), input.model.config().hidden},
                                 input.model.DownWeight(LayerIndex(0)).options());
  at::Tensor residuals = at::zeros_like(initial);
  for (const auto& bucket : BuildBuckets(input, {chunk.begin, chunk.end, bare}))
    bucket->CopyInitial(initial, residuals);
  return initial.norm(2, {1}, /*keepdim=*/true);
}

// Optimises one chunk of facts.
class ChunkOptimiser {
 public:
  ChunkOptimiser(const TargetInput& input, const Chunk& chunk)
      : input_(input),
        chunk_(chunk),
        buckets_(BuildBuckets(input, chunk)),
        residuals_(at::zeros({chunk.fact_count(), input.model.config().hidden},
                             input.model.DownWeight(LayerIndex(0)).options())),
        optimiser_(input.settings, InitialValues()),
        active_(at::ones({chunk.fact_count()}, at::kBool)) {}

  // Writes the chunk's part of `targets`.
  Status Run(Targets& targets) {
    const std::int64_t step_count = input_.settings.v_num_grad_steps;
    for (std::int64_t step = 1; step <= step_count && active_.any().item<bool>(); ++step) {
      EMEND_RETURN_IF_ERROR(Report(
          input_.progress, {"targets", chunk_.begin * step_count + chunk_.fact_count() * (step - 1),
                            input_.fact_count * step_count}));
      const Gradient gradient = step < step_count ? Gradient::kCompute : Gradient::kSkip;
      SumBuckets(gradient);
      // Whether a fact is done decides what is run next, and must be the same everywhere.
      EMEND_RETURN_IF_ERROR(input_.model.communicator().Broadcast(losses_, /*root=*/0));
      EMEND_RETURN_IF_ERROR(RecordLosses(step, targets));
      if (gradient == Gradient::kSkip) break;
      optimiser_.Step(gradients_, active_.to(gradients_.device()), step);
      for (const auto& bucket : buckets_) bucket->Keep(active_);
      std::erase_if(buckets_, [](const auto& bucket) { return bucket->empty(); });
    }
    at::Tensor values = Found().contiguous();
    EMEND_RETURN_IF_ERROR(input_.model.communicator().Broadcast(values, /*root=*/0));
    targets.values.narrow(0, chunk_.begin, chunk_.fact_count()).copy_(values);
    return OkStatus();
  }

 private:
  at::Tensor InitialValues() {
    at::Tensor initial = at::zeros_like(residuals_);
    for (const auto& bucket : buckets_) bucket->CopyInitial(initial, residuals_);
    return initial;
  }

  // What the block gives for what was optimised.
  at::Tensor Found() const {
    const LayerIndex last = input_.settings.layers.back();
    at::Tensor values = optimiser_.Values();
    if (input_.settings.v_keep_norm == 1)
      values *= OriginalNorms(input_, chunk_) / values.norm(2, {1}, /*keepdim=*/true);
    return input_.model.NormsOutput(last) ? input_.model.FinishWith(last, residuals_, values)
                                          : values;
  }

  void SumBuckets(Gradient gradient) {
    losses_ = optimiser_.DecayLosses();
    gradients_ = at::zeros_like(optimiser_.deltas());
    std::vector<BucketStep> steps(buckets_.size());
    input_.team.ForEach(static_cast<std::int64_t>(buckets_.size()), [&](std::int64_t i) {
      steps[i] = buckets_[i]->Step(optimiser_.deltas(), gradient);
    });
    // Added up in one order, whoever was first.
    for (std::size_t i = 0; i < buckets_.size(); ++i) {
      const at::Tensor facts = buckets_[i]->facts().to(losses_.device());
      losses_.index_add_(0, facts, steps[i].losses);
      if (gradient == Gradient::kCompute) gradients_.index_add_(0, facts, steps[i].gradients);
    }
  }

  // Notes the losses of the active facts and retires those that are done.
  Status RecordLosses(std::int64_t step, Targets& targets) {
    const at::Tensor losses = losses_.cpu();
    const float* loss = losses.const_data_ptr<float>();
    bool* active = active_.mutable_data_ptr<bool>();
    for (std::int64_t fact = 0; fact < chunk_.fact_count(); ++fact) {
      if (!active[fact]) continue;
      if (!std::isfinite(loss[fact])) {
        return {StatusCode::kFailedPrecondition, "non_finite",
                "fact " + std::to_string(chunk_.begin + fact) +
                    ": the loss of its target is NaN or infinite at step " + std::to_string(step) +
                    "; lower v_lr or clamp_norm_factor"};
      }
      targets.steps[chunk_.begin + fact] = step;
      targets.losses[chunk_.begin + fact] = loss[fact];
      active[fact] = !(loss[fact] < input_.settings.loss_stop);
    }
    return OkStatus();
  }

  const TargetInput& input_;
  const Chunk& chunk_;
  std::vector<std::unique_ptr<TargetBucket>> buckets_;
  at::Tensor residuals_;  // [facts, d], where the last block norms its output
  DeltaOptimiser optimiser_;
  at::Tensor active_;     // bool [facts], on the CPU
  at::Tensor losses_;     // [facts], of the step under way
  at::Tensor gradients_;  // [facts, d]
};

// None: the one given.
std::unique_ptr<model::Transformer> FastModel(const TargetInput& input) {
  const at::Device device = input.model.DownWeight(LayerIndex(0)).device();
  if (input.settings.v_bf16 == 0 || !model::MultipliesBf16(device)) return nullptr;
  return input.model.WithBf16Above(input.settings.layers.back());
}

}  // namespace

int TeamSize(const model::Transformer& model) {
  return model.shard().ranks == 1 && model.DownWeight(LayerIndex(0)).device().is_cpu()
             ? at::get_num_threads()
             : 1;
}

Result<Targets> OptimiseTargets(const TargetInput& given) {
  const at::NoGradGuard no_grad;
  const std::unique_ptr<model::Transformer> fast = FastModel(given);
  const TargetInput input = WithModel(given, fast ? *fast : given.model);
  Targets targets{.values = at::zeros({input.fact_count, input.model.config().hidden}, at::kFloat),
                  .steps = std::vector<std::int64_t>(input.fact_count),
                  .losses = std::vector<double>(input.fact_count)};
  for (const Chunk& chunk : CutChunks(input))
    EMEND_RETURN_IF_ERROR(ChunkOptimiser(input, chunk).Run(targets));
  const std::int64_t total = input.fact_count * input.settings.v_num_grad_steps;
  EMEND_RETURN_IF_ERROR(Report(input.progress, {"targets", total, total}));
  return targets;
}

}  // namespace emend::worker::edit
