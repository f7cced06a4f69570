#include "worker/edit/answer_gradients.h"

#include <ATen/ATen.h>
#include <torch/csrc/autograd/autograd.h>

#include <algorithm>
#include <limits>

#include "worker/edit/batching.h"
#include "worker/edit/target_loss.h"

namespace emend::worker::edit {
namespace {

constexpr std::int64_t kGradientTokensMax = 512;
constexpr std::int64_t kGroupsAtOnce = 32;  // between two reports

// What autograd holds for one token: roughly three tensors of d_ff and fourteen of d a layer, and
// the logits.
std::int64_t TokenBytes(const families::ModelConfig& config) {
  return 4 *
         (config.layers * (3 * config.intermediate + 14 * config.hidden) + 3 * config.vocabulary);
}

// Rows of nearly one length, and where their answers are.
struct AnswerGroup {
  at::Tensor ids, positions;  // int64 [rows, length]
  at::Tensor places;          // int64 [c]: answers' tokens among rows · length
  at::Tensor targets;         // int64 [c]
  at::Tensor columns;         // int64 [c]: among all groups'
  at::Tensor losses;          // [c] fp32
  struct Layer {
    at::Tensor keys, experts, values;  // of `places`: [c, d_ff here], [c, active], [c, d]
  };
  std::vector<Layer> layers;
};

class Pass {
 public:
  explicit Pass(const GradientInput& input)
      : input_(input), device_(input.model.DownWeight(LayerIndex(0)).device()) {
    for (const PromptRow& row : input.rows) {
      if (row.kind == RowKind::kBare) bare_.push_back(&row);
    }
    std::vector<std::int64_t> facts;
    for (const PromptRow* const row : bare_) {
      first_column_.push_back(static_cast<std::int64_t>(facts.size()));
      facts.insert(facts.end(), row->target_ids.size(), row->fact);
    }
    found_.facts = IndexTensor(facts);
  }

  Result<AnswerGradients> Run() {
    AddGroups();
    const auto groups = static_cast<std::int64_t>(groups_.size());
    for (std::int64_t begin = 0; begin < groups; begin += kGroupsAtOnce) {
      EMEND_RETURN_IF_ERROR(Report(
          input_.progress, {"targets", input_.fact_count * begin / groups, input_.fact_count}));
      input_.team.ForEach(std::min(groups - begin, kGroupsAtOnce),
                          [&](std::int64_t i) { RunGroup(groups_[begin + i]); });
    }
    Gather();
    return std::move(found_);
  }

 private:
  void AddGroups() {
    std::vector<std::int64_t> lengths;
    for (const PromptRow* const row : bare_) lengths.push_back(row->token_count());
    const std::int64_t tokens_max = std::clamp<std::int64_t>(
        input_.memory_bytes_max / input_.team.thread_count() / TokenBytes(input_.model.config()), 1,
        kGradientTokensMax);
    for (const RowGroup& rows : GroupByLength(lengths, tokens_max)) AddGroup(rows);
  }

  void AddGroup(const RowGroup& rows) {
    std::vector<const std::vector<tokenizer::TokenId>*> ids;
    std::vector<std::int64_t> places, targets, columns;
    for (std::size_t i = 0; i < rows.rows.size(); ++i) {
      const auto index = static_cast<std::size_t>(rows.rows[i]);
      const PromptRow& row = *bare_[index];
      ids.push_back(&row.ids);
      const auto count = static_cast<std::int64_t>(row.target_ids.size());
      for (std::int64_t token = 0; token < count; ++token) {
        places.push_back(static_cast<std::int64_t>(i) * rows.length + row.token_count() - count +
                         token);
        targets.push_back(row.target_ids[static_cast<std::size_t>(token)]);
        columns.push_back(first_column_[index] + token);
      }
    }
    AnswerGroup& group = groups_.emplace_back();
    group.ids = PadTokens(ids, rows.length).to(device_);
    group.positions =
        CountPositions(static_cast<std::int64_t>(ids.size()), rows.length).to(device_);
    group.places = IndexTensor(places).to(device_);
    group.targets = IndexTensor(targets).to(device_);
    group.columns = IndexTensor(columns).to(device_);
    group.layers.resize(input_.layers.size());
  }

  static at::Tensor AtAnswers(const at::Tensor& values, const AnswerGroup& group) {
    return values.flatten(0, 1).index_select(0, group.places);
  }

  // What each edited layer puts out is added to zeros, by which the loss is derived.
  void RunGroup(AnswerGroup& group) const {
    const at::AutoGradMode gradients(/*enabled=*/true);
    const model::Transformer& model = input_.model;
    torch::autograd::variable_list probes;
    at::Tensor hidden = model.Embed(group.ids, group.positions);
    for (std::int32_t layer = 0; layer < model.config().layers; ++layer) {
      const model::BlockHalf half = model.Attend(
          LayerIndex(layer), {.hidden = hidden, .positions = group.positions, .mask = {}});
      at::Tensor output = model.DownOutput(LayerIndex(layer), half);
      if (probes.size() < input_.layers.size() && input_.layers[probes.size()].value() == layer) {
        AnswerGroup::Layer& own = group.layers[probes.size()];
        own.keys = AtAnswers(half.key, group).detach();
        if (half.experts.defined()) own.experts = AtAnswers(half.experts, group);
        probes.push_back(at::zeros_like(output).set_requires_grad(true));
        output = output + probes.back();
      }
      hidden = model.FinishWith(LayerIndex(layer), half.residual, output);
    }
    const at::Tensor logits = model.Logits(model.FinalNorm(AtAnswers(hidden, group)));
    const LogitLoss loss =
        TargetLoss(logits, group.targets, at::ones({logits.size(0)}, at::kFloat).to(device_));
    group.losses = loss.losses;
    const auto found = torch::autograd::grad({logits}, probes, {loss.gradients});
    for (std::size_t i = 0; i < found.size(); ++i)
      group.layers[i].values = AtAnswers(found[i], group);
  }

  void Gather() {
    const at::TensorOptions wide = at::TensorOptions(at::kDouble).device(device_);
    const std::int64_t columns = found_.facts.numel();
    for (std::size_t i = 0; i < input_.layers.size(); ++i) {
      const LayerIndex layer = input_.layers[i];
      const model::DownProjection& down = input_.model.Down(layer);
      at::Tensor keys = at::zeros({columns * down.parts(), down.own.size}, wide);
      at::Tensor values = at::zeros({columns, input_.model.config().hidden}, wide);
      for (const AnswerGroup& group : groups_) {
        const AnswerGroup::Layer& own = group.layers[i];
        const at::Tensor places =
            own.experts.defined()
                ? at::add(own.experts, group.columns.unsqueeze(1), down.parts()).flatten()
                : group.columns;
        keys.index_add_(0, places, own.keys.to(at::kDouble).view({places.numel(), down.own.size}));
        values.index_copy_(0, group.columns, own.values.to(at::kDouble));
      }
      found_.layers[layer] = {
          input_.model.GatherKeys(layer, keys).view({columns, down.parts() * down.width}).cpu().t(),
          values.cpu().t()};
    }
    found_.losses = at::zeros({input_.fact_count}, at::kDouble);
    const at::Tensor counts = at::bincount(found_.facts, {}, input_.fact_count);
    for (const AnswerGroup& group : groups_)
      found_.losses.index_add_(0, found_.facts.index_select(0, group.columns.cpu()),
                               group.losses.cpu().to(at::kDouble));
    found_.losses /= counts;
  }

  const GradientInput& input_;
  const at::Device device_;
  std::vector<const PromptRow*> bare_;
  std::vector<std::int64_t> first_column_;  // of each bare row
  std::vector<AnswerGroup> groups_;
  AnswerGradients found_;
};

// [rows, c]: each row less its mean, by its deviation.
at::Tensor Normalised(const at::Tensor& columns) {
  constexpr double kDeviationMin = std::numeric_limits<float>::epsilon();
  const auto [deviation, mean] =
      at::std_mean(columns, at::IntArrayRef{1}, /*unbiased=*/true, /*keepdim=*/true);
  return (columns - mean) / (deviation + kDeviationMin);
}

}  // namespace

Result<AnswerGradients> TakeGradients(const GradientInput& input) {
  const at::NoGradGuard no_grad;
  return Pass(input).Run();
}

at::Tensor UltraEditValues(const LayerGradients& gradients, double step) {
  const at::Tensor weights = Normalised(gradients.keys).square().sum(0) * -step;
  return Normalised(gradients.values) * weights;
}

}  // namespace emend::worker::edit
