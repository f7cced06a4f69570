#include "worker/edit/sweep.h"

#include <ATen/ATen.h>

#include <utility>

#include "worker/edit/batching.h"

namespace emend::worker::edit {
namespace {

constexpr std::int64_t kGroupTokensMax = 1024;

// [rows, width] of [rows, tokens, width]: each row's lookup token.
at::Tensor AtLookup(const at::Tensor& values, const at::Tensor& lookups) {
  return values.gather(1, lookups.view({-1, 1, 1}).expand({-1, 1, values.size(2)})).squeeze(1);
}

}  // namespace

KeySweep::KeySweep(const model::Transformer& model, std::span<const PromptRow> rows,
                   std::int64_t fact_count, std::int64_t memory_bytes_max, ThreadTeam& team)
    : model_(&model), fact_count_(fact_count), team_(team) {
  const at::NoGradGuard no_grad;
  AddGroups(rows, RowKind::kBare);
  AddGroups(rows, RowKind::kContext);
  std::int64_t half_bytes = 0;
  for (const Group& group : groups_)
    half_bytes +=
        4 * group.positions.numel() * (model.config().hidden + model.config().intermediate);
  keep_halves_ = half_bytes <= memory_bytes_max / 2;
}

void KeySweep::AddGroups(std::span<const PromptRow> rows, RowKind kind) {
  std::vector<const PromptRow*> members;
  std::vector<std::int64_t> lengths;
  for (const PromptRow& row : rows) {
    if (row.kind != kind) continue;
    members.push_back(&row);
    lengths.push_back(row.lookup + 1);
  }
  const at::Device device = model_->DownWeight(LayerIndex(0)).device();
  for (const RowGroup& row_group : GroupByLength(lengths, kGroupTokensMax)) {
    std::vector<const std::vector<tokenizer::TokenId>*> ids;
    std::vector<std::int64_t> facts;
    std::vector<std::int64_t> lookups;
    std::vector<double> key_weights;
    for (const std::int64_t index : row_group.rows) {
      ids.push_back(&members[index]->ids);
      facts.push_back(members[index]->fact);
      lookups.push_back(members[index]->lookup);
      key_weights.push_back(members[index]->key_weight);
    }
    Group group;
    group.is_bare = kind == RowKind::kBare;
    group.facts = IndexTensor(facts).to(device);
    group.lookups = IndexTensor(lookups).to(device);
    group.key_weights = at::tensor(key_weights, at::kFloat).to(device);
    group.positions =
        CountPositions(static_cast<std::int64_t>(ids.size()), row_group.length).to(device);
    group.hidden = model_->Embed(PadTokens(ids, row_group.length).to(device), group.positions);
    groups_.push_back(std::move(group));
  }
}

model::BlockHalf KeySweep::Attend(const Group& group, std::int32_t layer,
                                  const at::Tensor& hidden) const {
  return model_->Attend(LayerIndex(layer),
                        {.hidden = hidden, .positions = group.positions, .mask = {}});
}

void KeySweep::ForEachGroup(const std::function<void(Group&, std::int64_t)>& work) {
  team_.ForEach(static_cast<std::int64_t>(groups_.size()),
                [&](std::int64_t i) { work(groups_[i], i); });
}

void KeySweep::Advance(Group& group) {
  const model::BlockHalf half =
      group.half.key.defined() ? std::move(group.half) : Attend(group, at_layer_, group.hidden);
  group.half = {};
  group.hidden = model_->Finish(LayerIndex(at_layer_), half);
}

at::Tensor KeySweep::Keys(LayerIndex layer) {
  const at::NoGradGuard no_grad;
  for (; at_layer_ < layer.value(); ++at_layer_)
    ForEachGroup([this](Group& group, std::int64_t) { Advance(group); });
  const model::DownProjection& down = model_->Down(layer);
  const std::int64_t parts = down.parts(), own = down.own.size;
  // Of each row its key, or its key of each expert that it passes, and to which key of all facts'
  // and experts' that is added.
  std::vector<at::Tensor> weighted(groups_.size()), places(groups_.size());
  ForEachGroup([&](Group& group, std::int64_t i) {
    model::BlockHalf half = Attend(group, at_layer_, group.hidden);
    half.present = {};
    const model::BlockHalf looked_up =
        half.Of([&](const at::Tensor& all) { return AtLookup(all, group.lookups); });
    const at::Tensor keys = (looked_up.key * group.key_weights.unsqueeze(1)).to(at::kDouble);
    weighted[i] = keys.view({keys.size(0) * down.active, own});
    places[i] = looked_up.experts.defined()
                    ? at::add(looked_up.experts, group.facts.unsqueeze(1), parts).flatten()
                    : group.facts;
    if (keep_halves_) group.half = std::move(half);
  });
  at::Tensor keys =
      at::zeros({fact_count_ * parts, own}, groups_[0].hidden.options().dtype(at::kDouble));
  for (std::size_t i = 0; i < groups_.size(); ++i) keys.index_add_(0, places[i], weighted[i]);
  return model_->GatherKeys(layer, keys).view({fact_count_, parts * down.width}).cpu().t();
}

at::Tensor KeySweep::Residuals(LayerIndex layer, LayerIndex last, const at::Tensor& targets) {
  const at::NoGradGuard no_grad;
  at::Tensor blocks =
      at::zeros({fact_count_, model_->config().hidden}, groups_[0].hidden.options());
  at::Tensor outputs = at::zeros_like(blocks);  // of the layer's down projection
  ForEachGroup([&](Group& group, std::int64_t) {
    if (!group.is_bare) return;
    const model::BlockHalf half =
        group.half.key.defined() ? group.half : Attend(group, layer.value(), group.hidden);
    const at::Tensor output = model_->DownOutput(layer, half);
    outputs.index_copy_(0, group.facts, AtLookup(output, group.lookups));
    at::Tensor hidden = model_->FinishWith(layer, half.residual, output);
    for (std::int32_t above = layer.value() + 1; above <= last.value(); ++above) {
      hidden = model_->Finish(LayerIndex(above), Attend(group, above, hidden));
    }
    blocks.index_copy_(0, group.facts, AtLookup(hidden, group.lookups));  // groups share no fact
  });
  return model_->OutputChange(layer, outputs, targets.to(blocks.device()) - blocks)
      .cpu()
      .t()
      .to(at::kDouble);
}

void KeySweep::SetWeight(LayerIndex layer, const at::Tensor& weight) {
  weights_[layer] = weight.to(model_->DownWeight(layer).device());
  const std::unique_ptr<model::Transformer> previous = std::move(edited_);  // model_ may be it
  edited_ = model_->WithDownWeights(weights_);
  model_ = edited_.get();
}

}  // namespace emend::worker::edit
