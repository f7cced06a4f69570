#include "worker/model/decoder.h"

#include <ATen/ATen.h>

#include <utility>

#include "worker/model/attention.h"
#include "worker/model/key_value_cache.h"

namespace emend::worker::model {
namespace {

using families::Activation;

// Element by element.
at::Tensor Activate(Activation activation, const at::Tensor& input) {
  switch (activation) {
    case Activation::kGelu: return at::gelu(input);
    case Activation::kGeluTanh: return at::gelu(input, "tanh");
    case Activation::kSilu: return at::silu(input);
    case Activation::kRelu: return at::relu(input);
  }
  EMEND_CHECK(false, "an activation outside its enumeration");
}

std::optional<at::Tensor> Optional(const at::Tensor& tensor) {
  return tensor.defined() ? std::optional<at::Tensor>(tensor) : std::nullopt;
}

at::Tensor Project(const at::Tensor& input, const Projection& projection) {
  return at::linear(input, projection.weight.t(), Optional(projection.bias));
}

// Element i of a head is turned together with element i + head_dim / 2. `heads` [batch, tokens,
// heads, head_dim], positions [batch, tokens].
at::Tensor Rotate(const at::Tensor& heads, const Rotation& rotation, const at::Tensor& positions) {
  const at::Tensor cosine = at::embedding(rotation.cosine, positions).unsqueeze(2),
                   sine = at::embedding(rotation.sine, positions).unsqueeze(2);
  const std::vector<at::Tensor> halves = heads.chunk(2, -1);
  return at::cat({at::sub(at::mul(halves[0], cosine), at::mul(halves[1], sine)),
                  at::add(at::mul(halves[1], cosine), at::mul(halves[0], sine))},
                 -1);
}

PastKeyValues Behind(const PastKeyValues* past, PastKeyValues own) {
  if (past == nullptr) return own;
  return {.keys = at::cat({past->keys, own.keys}, 2),
          .values = at::cat({past->values, own.values}, 2)};
}

}  // namespace

Decoder::Decoder(ModelConfig config, const ShardPlan& shard, DecoderWeights weights,
                 collective::Communicator& communicator)
    : config_(std::move(config)),
      shard_(shard),
      weights_(std::move(weights)),
      communicator_(&communicator) {
  EMEND_CHECK(static_cast<std::int64_t>(weights_.blocks.size()) == config_.layers,
              "a decoder was built with another number of blocks than its config names");
  for (int rank = 0; rank < shard_.ranks; ++rank) {
    vocabulary_.push_back(families::CutVocabulary(config_, rank, shard_.ranks));
    intermediate_.push_back(families::CutIntermediate(config_, rank, shard_.ranks));
  }
}

at::Tensor Decoder::Embed(const at::Tensor& ids, const at::Tensor& positions) const {
  const at::Tensor tokens = EmbedTokens(ids);
  if (!weights_.position_embedding.defined()) return tokens;
  return at::add(tokens, at::embedding(weights_.position_embedding, positions));
}

at::Tensor Decoder::EmbedTokens(const at::Tensor& ids) const {
  if (shard_.ranks == 1) return at::embedding(weights_.token_embedding, ids);
  const Slice own = shard_.vocabulary;
  if (own.size == 0)
    return SumCut(
        at::zeros({ids.size(0), ids.size(1), config_.hidden}, weights_.token_embedding.options()),
        *communicator_);
  const at::Tensor is_own = at::logical_and(at::ge(ids, own.begin), at::lt(ids, own.end()));
  const at::Tensor rows =
      at::embedding(weights_.token_embedding, at::clamp(at::sub(ids, own.begin), 0, own.size - 1));
  return SumCut(at::mul(rows, is_own.unsqueeze(-1)), *communicator_);
}

BlockHalf Decoder::Attend(LayerIndex layer, const BlockInput& input) const {
  const Block& block = BlockAt(layer);
  const std::int64_t batch = input.hidden.size(0), tokens = input.hidden.size(1);
  const std::int64_t heads = shard_.heads.size, kv_heads = shard_.kv_heads.size;

  const at::Tensor fused =
      Project(EnterCut(Normalize(input.hidden, block.attention_norm), *communicator_),
              block.query_key_value);
  const at::Tensor all = fused.view({batch, tokens, heads + 2 * kv_heads, config_.head_dim});
  at::Tensor turned = all.narrow(2, 0, heads + kv_heads);
  if (block.query_norm || block.key_norm)
    turned = at::cat({Normalize(turned.narrow(2, 0, heads), block.query_norm),
                      Normalize(turned.narrow(2, heads, kv_heads), block.key_norm)},
                     2);
  if (block.rotation) turned = Rotate(turned, *block.rotation, input.positions);
  const at::Tensor queries = turned.narrow(2, 0, heads), keys = turned.narrow(2, heads, kv_heads),
                   values = all.narrow(2, heads + kv_heads, kv_heads);
  BlockHalf half;
  at::Tensor context;
  if (input.cached != nullptr) {
    context = input.cached->Attend(layer, queries, keys, values);
  } else {
    half.present =
        Behind(input.past, {.keys = keys.transpose(1, 2), .values = values.transpose(1, 2)});
    context = Attention({.queries = queries.transpose(1, 2),
                         .keys = half.present.keys,
                         .values = half.present.values,
                         .mask = input.mask});
  }
  half.residual = at::add(
      input.hidden, Normalize(RowCut(context, block.attention_out), block.attention_post_norm));
  half.key =
      Key(Project(EnterCut(Normalize(half.residual, block.mlp_norm), *communicator_), block.up));
  return half;
}

at::Tensor Decoder::Finish(LayerIndex layer, const BlockHalf& half) const {
  const Block& block = BlockAt(layer);
  return at::add(half.residual, Normalize(RowCut(half.key, block.down), block.mlp_post_norm));
}

at::Tensor Decoder::Logits(const at::Tensor& normed) const {
  return GatherCut(at::linear(EnterCut(normed, *communicator_), weights_.head), vocabulary_,
                   *communicator_);
}

std::unique_ptr<Transformer> Decoder::WithDownWeights(
    const std::map<LayerIndex, at::Tensor>& weights) const {
  auto copy = std::make_unique<Decoder>(*this);
  for (const auto& [layer, weight] : weights) {
    const at::Tensor& own = BlockAt(layer).down.weight;
    EMEND_CHECK(weight.sizes() == own.sizes() && weight.scalar_type() == at::kFloat,
                "a down projection for layer " + std::to_string(layer.value()) +
                    " is not fp32 [d_ff, d] of this rank's part");
    copy->weights_.blocks[static_cast<std::size_t>(layer.value())].down.weight =
        weight.contiguous();
  }
  return copy;
}

at::Tensor Decoder::Normalize(const at::Tensor& input, const Norm& norm) const {
  if (config_.norm == families::NormKind::kLayer)
    return at::layer_norm(input, norm.weight.sizes(), norm.weight, norm.bias, config_.norm_epsilon);
  const at::Tensor scale =
      at::rsqrt(at::mean(at::square(input), {-1}, /*keepdim=*/true).add_(config_.norm_epsilon));
  return at::mul(at::mul(input, scale), norm.weight);
}

at::Tensor Decoder::Key(const at::Tensor& up) const {
  if (!config_.gated) return Activate(config_.activation, up);
  const std::vector<at::Tensor> halves = up.chunk(2, -1);
  return at::mul(Activate(config_.activation, halves[0]), halves[1]);
}

const Block& Decoder::BlockAt(LayerIndex layer) const {
  const std::int64_t index = layer.value();
  EMEND_CHECK(index >= 0 && index < config_.layers, "layer " + std::to_string(index) +
                                                        " of a model with " +
                                                        std::to_string(config_.layers) + " layers");
  return weights_.blocks[static_cast<std::size_t>(index)];
}

at::Tensor Decoder::RowCut(const at::Tensor& input, const Projection& projection) const {
  if (shard_.ranks == 1) return Project(input, projection);
  const at::Tensor sum = SumCut(at::matmul(input, projection.weight), *communicator_);
  return projection.bias.defined() ? at::add(sum, projection.bias) : sum;
}

}  // namespace emend::worker::model
