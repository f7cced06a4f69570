#include "worker/edit/influence.h"

#include <ATen/ATen.h>

#include <cmath>
#include <map>
#include <string_view>
#include <utility>

#include "worker/edit/batching.h"
#include "worker/model/guard.h"

namespace emend::worker::edit {
namespace {

using model::BlockHalf;
using model::DownProjection;
using storage::delta::Column;
using storage::delta::EditDelta;
using storage::delta::TensorDelta;

// What edits change of one tensor: which edit, and its columns there.
using TensorEdits = std::vector<std::pair<std::int64_t, const TensorDelta*>>;

std::map<std::string_view, TensorEdits> ByTensor(
    std::span<const std::shared_ptr<const EditDelta>> edits) {
  std::map<std::string_view, TensorEdits> by_tensor;
  for (std::size_t i = 0; i < edits.size(); ++i) {
    for (const TensorDelta& delta : edits[i]->tensors) {
      if (!delta.columns.empty())
        by_tensor[delta.tensor].emplace_back(static_cast<std::int64_t>(i), &delta);
    }
  }
  return by_tensor;
}

// [columns, size] fp64: one factor of each column.
at::Tensor Factors(const std::vector<Column>& columns, std::vector<std::int16_t> Column::* factor) {
  std::vector<at::Tensor> rows;
  for (const Column& column : columns) {
    const std::vector<std::int16_t>& values = column.*factor;
    rows.push_back(at::from_blob(const_cast<std::int16_t*>(values.data()),
                                 {static_cast<std::int64_t>(values.size())}, at::kShort)
                       .to(at::kDouble));
  }
  return at::stack(rows);
}

// [1, columns] fp64: G · 2^shift.
at::Tensor Scales(const std::vector<Column>& columns) {
  std::vector<double> scales;
  for (const Column& column : columns)
    scales.push_back(std::ldexp(1.0, storage::delta::kGridExponent + column.shift));
  return at::tensor(scales, at::kDouble).unsqueeze(0);
}

// This rank's part of the inputs of one tensor of the layer, [tokens, own] fp64 on the CPU: 0 where
// a token does not pass it.
at::Tensor InputsOf(const DownProjection& down, const BlockHalf& half, std::int64_t part) {
  const at::Tensor keys = half.key[0];
  if (!half.experts.defined()) return keys.to(at::kCPU, at::kDouble);
  const at::Tensor passes = half.experts[0].eq(part).unsqueeze(-1);
  return (keys.view({keys.size(0), down.active, down.own.size}) * passes)
      .sum(1)
      .to(at::kCPU, at::kDouble);
}

// Adds each edit's ‖Δ k_t‖ of one tensor, over ‖o_t‖ [tokens], to its row of `shares`
// [edits, tokens].
Status AddShares(const model::Transformer& model, const DownProjection& down,
                 const at::Tensor& inputs, const at::Tensor& norms, const TensorEdits& edits,
                 at::Tensor& shares) {
  const auto input = down.stored_in_out ? &Column::a : &Column::b;
  const auto output = down.stored_in_out ? &Column::b : &Column::a;
  std::vector<at::Tensor> products;  // of inputs and columns
  for (const auto& [edit, delta] : edits) {
    const at::Tensor own = Factors(delta->columns, input).narrow(1, down.own.begin, down.own.size);
    products.push_back(inputs.matmul(own.t()) * Scales(delta->columns));
  }
  at::Tensor summed = at::cat(products, 1).contiguous();
  EMEND_RETURN_IF_ERROR(model.communicator().AllReduceSum(summed));
  std::int64_t begin = 0;
  for (const auto& [edit, delta] : edits) {
    const auto count = static_cast<std::int64_t>(delta->columns.size());
    const at::Tensor added = summed.narrow(1, begin, count).matmul(Factors(delta->columns, output));
    shares[edit] += added.norm(2, 1) / norms;
    begin += count;
  }
  return OkStatus();
}

Result<std::vector<double>> Walk(const model::Transformer& model,
                                 std::span<const tokenizer::TokenId> tokens,
                                 std::span<const std::shared_ptr<const EditDelta>> edits,
                                 const ProgressFunction& progress) {
  const at::NoGradGuard no_grad;
  const std::vector<tokenizer::TokenId> text(tokens.begin(), tokens.end());
  const std::vector<const std::vector<tokenizer::TokenId>*> rows = {&text};
  const auto length = static_cast<std::int64_t>(text.size());
  const at::Device device = model.DownWeight(LayerIndex(0)).device();
  const at::Tensor positions = CountPositions(1, length).to(device);
  at::Tensor hidden = model.Embed(PadTokens(rows, length).to(device), positions);
  const std::map<std::string_view, TensorEdits> by_tensor = ByTensor(edits);
  at::Tensor shares = at::zeros({static_cast<std::int64_t>(edits.size()), length}, at::kDouble);
  const std::int32_t layers = static_cast<std::int32_t>(model.config().layers);
  std::size_t met = 0;  // of the tensors with edits
  for (std::int32_t i = 0; i < layers && met < by_tensor.size(); ++i) {
    EMEND_RETURN_IF_ERROR(Report(progress, {"blame", i, layers}));
    const LayerIndex layer(i);
    const DownProjection& down = model.Down(layer);
    const BlockHalf half =
        model.Attend(layer, {.hidden = hidden, .positions = positions, .mask = {}});
    const at::Tensor output = model.DownOutput(layer, half);
    const at::Tensor norms = output[0].to(at::kCPU, at::kDouble).norm(2, 1).clamp_min(1e-30);
    for (std::int64_t part = 0; part < down.parts(); ++part) {
      const auto found = by_tensor.find(down.tensors[static_cast<std::size_t>(part)]);
      if (found == by_tensor.end()) continue;
      ++met;
      EMEND_RETURN_IF_ERROR(
          AddShares(model, down, InputsOf(down, half, part), norms, found->second, shares));
    }
    hidden = model.FinishWith(layer, half.residual, output);
  }
  at::Tensor influences =
      edits.empty() ? at::empty({0}, at::kDouble) : std::get<0>(shares.max(1)).contiguous();
  // Which edits are taken out follows from them, and must be the same everywhere.
  EMEND_RETURN_IF_ERROR(model.communicator().Broadcast(influences, /*root=*/0));
  const auto* values = influences.const_data_ptr<double>();
  return std::vector<double>(values, values + influences.numel());
}

}  // namespace

Result<std::vector<double>> InfluencesOn(const model::Transformer& model,
                                         std::span<const tokenizer::TokenId> tokens,
                                         std::span<const std::shared_ptr<const EditDelta>> edits,
                                         const ProgressFunction& progress) {
  return model::Guarded("measuring how " + std::to_string(edits.size()) + " edits act on a text",
                        [&] { return Walk(model, tokens, edits, progress); });
}

}  // namespace emend::worker::edit
