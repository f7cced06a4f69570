#include "worker/edit/target_bucket.h"

#include <ATen/ATen.h>
#include <torch/csrc/autograd/autograd.h>

#include <algorithm>
#include <limits>

#include "worker/edit/batching.h"
#include "worker/edit/target_loss.h"

namespace emend::worker::edit {
namespace {

double TokenWeight(const protocol::SolveSettings& settings, std::int64_t target_tokens) {
  std::size_t templates = 0;
  for (const auto& group : settings.context_templates) templates += group.size();
  return 1.0 / static_cast<double>(
                   templates * static_cast<std::size_t>(std::max<std::int64_t>(1, target_tokens)));
}

at::Tensor Lookups(std::span<const PromptRow* const> rows) {
  std::vector<std::int64_t> lookups;
  for (const PromptRow* row : rows) lookups.push_back(row->lookup);
  return IndexTensor(lookups);
}

at::Tensor Facts(std::span<const PromptRow* const> rows, std::int64_t first_fact) {
  std::vector<std::int64_t> facts;
  for (const PromptRow* row : rows) facts.push_back(row->fact - first_fact);
  return IndexTensor(facts);
}

at::Tensor BareRows(std::span<const PromptRow* const> rows) {
  at::Tensor bare = at::zeros({static_cast<std::int64_t>(rows.size())}, at::kBool);
  for (std::size_t i = 0; i < rows.size(); ++i)
    bare.mutable_data_ptr<bool>()[i] = rows[i]->kind == RowKind::kBare;
  return bare;
}

void SelectRows(at::Tensor& tensor, const at::Tensor& rows) {
  if (tensor.defined()) tensor = tensor.index_select(0, rows.to(tensor.device()));
}

}  // namespace

TargetBucket::TargetBucket(const model::Transformer& model, const protocol::SolveSettings& settings,
                           std::span<const PromptRow* const> rows, std::int64_t first_fact)
    : model_(model),
      last_edited_(settings.layers.back().value()),
      kl_factor_(settings.kl_factor),
      token_weight_(TokenWeight(settings, static_cast<std::int64_t>(rows[0]->target_ids.size()))),
      suffix_tokens_(rows[0]->suffix()),
      loss_tokens_(
          std::max<std::int64_t>(1, static_cast<std::int64_t>(rows[0]->target_ids.size()))),
      is_drift_(rows[0]->kind == RowKind::kDrift),
      facts_(Facts(rows, first_fact)),
      bare_(BareRows(rows)) {
  const at::NoGradGuard no_grad;
  RunConstantLayers(rows);
  BuildMask(Lookups(rows).to(suffix_.device()));
  BuildTerms(rows);
}

void TargetBucket::RunConstantLayers(std::span<const PromptRow* const> rows) {
  const at::Device device = model_.DownWeight(LayerIndex(0)).device();
  const auto row_count = static_cast<std::int64_t>(rows.size());
  std::vector<const std::vector<tokenizer::TokenId>*> ids;
  std::int64_t length = 0;
  for (const PromptRow* row : rows)
    length = std::max(length, static_cast<std::int64_t>(ids.emplace_back(&row->ids)->size()));

  const at::Tensor positions = CountPositions(row_count, length).to(device);
  at::Tensor hidden = model_.Embed(PadTokens(ids, length).to(device), positions);
  positions_ = (Lookups(rows).unsqueeze(1) + at::arange(suffix_tokens_, at::kLong)).to(device);
  const auto take = [&](const at::Tensor& values, std::int64_t tokens) {
    return values.gather(
        1, positions_.narrow(1, 0, tokens).unsqueeze(2).expand({-1, -1, values.size(2)}));
  };
  for (std::int32_t layer = 0; layer <= last_edited_; ++layer) {
    const model::BlockHalf half =
        model_.Attend(LayerIndex(layer), {.hidden = hidden, .positions = positions, .mask = {}});
    const at::Tensor output = model_.DownOutput(LayerIndex(layer), half);
    hidden = model_.FinishWith(LayerIndex(layer), half.residual, output);
    if (layer < last_edited_ || !model_.NormsOutput(LayerIndex(layer))) continue;
    residual_ = take(half.residual, 1);
    output_ = take(output, 1);
  }
  suffix_ = take(hidden, suffix_tokens_);

  const std::int64_t prefix = Lookups(rows).max().item<std::int64_t>();
  if (prefix == 0) return;
  hidden = hidden.narrow(1, 0, prefix);
  const at::Tensor prefix_positions = positions.narrow(1, 0, prefix);
  for (std::int32_t layer = last_edited_ + 1; layer < model_.config().layers; ++layer) {
    const model::BlockHalf half = model_.Attend(
        LayerIndex(layer), {.hidden = hidden, .positions = prefix_positions, .mask = {}});
    pasts_.push_back({half.present.keys.contiguous(), half.present.values.contiguous()});
    if (layer + 1 < model_.config().layers) hidden = model_.Finish(LayerIndex(layer), half);
  }
}

void TargetBucket::BuildMask(const at::Tensor& lookups) {
  constexpr float kHidden = -std::numeric_limits<float>::infinity();
  const std::int64_t prefix = pasts_.empty() ? 0 : pasts_[0].keys.size(2);
  const at::Tensor is_padding =
      at::arange(prefix, lookups.options()).unsqueeze(0) >= lookups.unsqueeze(1);
  const at::Tensor past =
      at::zeros(is_padding.sizes(), suffix_.options()).masked_fill_(is_padding, kHidden);
  const at::Tensor own =
      at::full({suffix_tokens_, suffix_tokens_}, kHidden, suffix_.options()).triu_(1);
  mask_ = at::cat({past.unsqueeze(1).expand({-1, suffix_tokens_, -1}),
                   own.unsqueeze(0).expand({lookups.size(0), -1, -1})},
                  2)
              .unsqueeze(1)
              .contiguous();
}

void TargetBucket::BuildTerms(std::span<const PromptRow* const> rows) {
  if (is_drift_) return;
  std::vector<std::int64_t> ids;
  for (const PromptRow* row : rows)
    ids.insert(ids.end(), row->target_ids.begin(), row->target_ids.end());
  target_ids_ = IndexTensor(ids).view({-1, loss_tokens_}).to(suffix_.device());
}

at::Tensor TargetBucket::LossHidden(const at::Tensor& deltas) const {
  const std::int64_t first_loss = suffix_tokens_ - loss_tokens_;
  const at::Tensor changed =
      output_.defined()
          ? model_.FinishWith(LayerIndex(last_edited_), residual_, output_ + deltas.unsqueeze(1))
          : suffix_.narrow(1, 0, 1) + deltas.unsqueeze(1);
  at::Tensor hidden = at::cat({changed, suffix_.narrow(1, 1, suffix_tokens_ - 1)}, 1);
  const std::int32_t top = static_cast<std::int32_t>(model_.config().layers) - 1;
  for (std::int32_t layer = last_edited_ + 1; layer <= top; ++layer) {
    const model::PastKeyValues* past = pasts_.empty() ? nullptr : &pasts_[layer - last_edited_ - 1];
    model::BlockHalf half =
        model_.Attend(LayerIndex(layer),
                      {.hidden = hidden, .positions = positions_, .mask = mask_, .past = past});
    if (layer == top) {
      half =
          half.Of([&](const at::Tensor& all) { return all.narrow(1, first_loss, loss_tokens_); });
    }
    hidden = model_.Finish(LayerIndex(layer), half);
  }
  return last_edited_ == top ? hidden.narrow(1, first_loss, loss_tokens_) : hidden;
}

BucketStep TargetBucket::Step(const at::Tensor& deltas, Gradient gradient) {
  const at::AutoGradMode grad_mode(gradient == Gradient::kCompute);
  const at::Tensor row_deltas = deltas.index_select(0, facts_.to(deltas.device()))
                                    .detach()
                                    .set_requires_grad(gradient == Gradient::kCompute);
  const at::Tensor logits = model_.Logits(model_.FinalNorm(LossHidden(row_deltas))).flatten(0, 1);
  const LogitLoss loss = is_drift_ ? DriftLoss(logits, kl_factor_, initial_)
                                   : TargetLoss(logits, target_ids_.flatten(),
                                                at::full({logits.size(0)}, token_weight_,
                                                         logits.options().requires_grad(false)));
  BucketStep step{.losses = loss.losses.view({-1, loss_tokens_}).sum(1), .gradients = {}};
  if (gradient == Gradient::kCompute)
    step.gradients = torch::autograd::grad({logits}, {row_deltas}, {loss.gradients})[0];
  return step;
}

void TargetBucket::CopyInitial(at::Tensor& initial, at::Tensor& residuals) const {
  const at::Tensor rows = bare_.nonzero().squeeze(1);
  const auto copy = [&](const at::Tensor& from, at::Tensor& to) {
    to.index_copy_(0, facts_.index_select(0, rows).to(to.device()),
                   from.select(1, 0).index_select(0, rows.to(from.device())));
  };
  copy(output_.defined() ? output_ : suffix_, initial);
  if (residual_.defined()) copy(residual_, residuals);
}

void TargetBucket::Keep(const at::Tensor& active) {
  const at::Tensor kept = active.index_select(0, facts_);
  if (kept.all().item<bool>()) return;
  const at::Tensor rows = kept.nonzero().squeeze(1);
  for (at::Tensor* tensor : {&facts_, &bare_, &suffix_, &residual_, &output_, &positions_, &mask_,
                             &target_ids_, &initial_})
    SelectRows(*tensor, rows);
  for (model::PastKeyValues& past : pasts_) {
    SelectRows(past.keys, rows);
    SelectRows(past.values, rows);
  }
}

}  // namespace emend::worker::edit
