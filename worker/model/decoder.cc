#include "worker/model/decoder.h"

#include <ATen/ATen.h>

#include <optional>
#include <utility>

#include "worker/model/attention.h"

namespace emend::worker::model {
namespace {

std::optional<at::Tensor> Optional(const at::Tensor& tensor) { return tensor.defined() ? std::optional<at::Tensor>(tensor) : std::nullopt; }

at::Tensor Project(const at::Tensor& input, const Projection& projection) { return at::linear(input, projection.weight.t(), Optional(projection.bias)); }

}  // namespace

Decoder::Decoder(ModelConfig config, DecoderWeights weights, collective::Communicator& communicator)
    : config_(std::move(config)), weights_(std::move(weights)), communicator_(&communicator) {
  EMEND_CHECK(static_cast<std::int64_t>(weights_.blocks.size()) == config_.layers, "a decoder was built with another number of blocks than its config names");
}

BlockHalf Decoder::Attend(LayerIndex layer, const BlockInput& input) const {
  const Block& block = BlockAt(layer);
  const std::int64_t batch = input.hidden.size(0), tokens = input.hidden.size(1);
  const std::int64_t heads = config_.heads, kv_heads = config_.kv_heads;

  const at::Tensor fused = Project(Normalize(input.hidden, block.attention_norm), block.query_key_value);
  const at::Tensor all = fused.view({batch, tokens, heads + 2 * kv_heads, config_.head_dim});
  const at::Tensor rotated = Rotate(all.narrow(2, 0, heads + kv_heads), input.positions);
  const at::Tensor queries = rotated.narrow(2, 0, heads).transpose(1, 2);
  BlockHalf half;
  half.present.keys = rotated.narrow(2, heads, kv_heads).transpose(1, 2);
  half.present.values = all.narrow(2, heads + kv_heads, kv_heads).transpose(1, 2);
  if (input.past != nullptr) {
    half.present.keys = at::cat({input.past->keys, half.present.keys}, 2);
    half.present.values = at::cat({input.past->values, half.present.values}, 2);
  }

  const at::Tensor context = Attention({.queries = queries, .keys = half.present.keys, .values = half.present.values, .mask = input.mask});
  half.residual = at::add(input.hidden, RowCut(context, block.attention_out));
  half.key = Key(Project(Normalize(half.residual, block.mlp_norm), block.up));
  return half;
}

at::Tensor Decoder::Finish(LayerIndex layer, const BlockHalf& half) const { return at::add(half.residual, RowCut(half.key, BlockAt(layer).down)); }

at::Tensor Decoder::Logits(const at::Tensor& normed) const { return at::linear(normed, weights_.head); }

std::unique_ptr<Transformer> Decoder::WithDownWeights(const std::map<LayerIndex, at::Tensor>& weights) const {
  std::unique_ptr<Decoder> copy = Clone();
  for (const auto& [layer, weight] : weights) {
    const at::Tensor& own = BlockAt(layer).down.weight;
    EMEND_CHECK(weight.sizes() == own.sizes() && weight.scalar_type() == at::kFloat,
                "a down projection for layer " + std::to_string(layer.value()) + " is not fp32 [d_ff, d] of the model");
    copy->weights_.blocks[static_cast<std::size_t>(layer.value())].down.weight = weight.contiguous();
  }
  return copy;
}

at::Tensor Decoder::Rotate(const at::Tensor& heads, const at::Tensor&) const { return heads; }

const Block& Decoder::BlockAt(LayerIndex layer) const {
  const std::int64_t index = layer.value();
  EMEND_CHECK(index >= 0 && index < config_.layers, "layer " + std::to_string(index) + " of a model with " + std::to_string(config_.layers) + " layers");
  return weights_.blocks[static_cast<std::size_t>(index)];
}

at::Tensor Decoder::RowCut(const at::Tensor& input, const Projection& projection) const {
  if (communicator_->size() == 1) return Project(input, projection);
  const at::Tensor sum = SumOverRanks(at::matmul(input, projection.weight));
  return projection.bias.defined() ? at::add(sum, projection.bias) : sum;
}

at::Tensor Decoder::SumOverRanks(at::Tensor partial) const {
  const Status status = communicator_->AllReduceSum(partial);
  TORCH_CHECK(status.ok(), "summing a row-cut projection over ", communicator_->size(), " ranks: ", status.ToString());
  return partial;
}

}  // namespace emend::worker::model
