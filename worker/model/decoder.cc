#include "worker/model/decoder.h"

#include <ATen/ATen.h>

#include <limits>
#include <utility>

#include "worker/model/attention.h"
#include "worker/model/key_value_cache.h"

namespace emend::worker::model {
namespace {

using families::Activation;

// Of a norm, beside the root of its mean square: through less than that nothing is reached.
constexpr double kLeastWeight = 0.1;

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

at::Tensor Transposed(const at::Tensor& tensor) { return tensor.defined() ? tensor.t() : tensor; }

// input · weightᵀ + bias, the weight [out, in]; with `bf16` where it is defined, which is the same.
at::Tensor Linear(const at::Tensor& input, const at::Tensor& weight, const at::Tensor& bf16,
                  const at::Tensor& bias) {
  if (!bf16.defined()) return at::linear(input, weight, Optional(bias));
  const at::Tensor product = at::linear(input.to(at::kBFloat16), bf16).to(at::kFloat);
  return bias.defined() ? at::add(product, bias) : product;
}
// The same through experts (experts.h).
at::Tensor Pass(const at::Tensor& input, const at::Tensor& experts, const at::Tensor& weights,
                const at::Tensor& bf16) {
  return bf16.defined() ? ThroughExperts(input.to(at::kBFloat16), experts, bf16).to(at::kFloat)
                        : ThroughExperts(input, experts, weights);
}
at::Tensor Project(const at::Tensor& input, const Projection& projection) {
  return Linear(input, projection.weight.t(), Transposed(projection.bf16), projection.bias);
}

// `heads` [batch, tokens, heads, head_dim], positions [batch, tokens].
at::Tensor Rotate(const at::Tensor& heads, const Rotation& rotation, const at::Tensor& positions) {
  const at::Tensor cosine = at::embedding(rotation.cosine, positions).unsqueeze(2),
                   sine = at::embedding(rotation.sine, positions).unsqueeze(2);
  const std::int64_t pairs = rotation.cosine.size(1), rest = heads.size(3) - 2 * pairs;
  const at::Tensor turned = heads.narrow(3, 0, 2 * pairs);
  // [.., pairs, 2] or [.., 2, pairs]: the two of a pair lie along `axis`.
  const std::int64_t axis = rotation.is_interleaved ? 4 : 3;
  const at::Tensor apart =
      rotation.is_interleaved ? turned.unflatten(3, {pairs, 2}) : turned.unflatten(3, {2, pairs});
  const at::Tensor first = apart.select(axis, 0), second = apart.select(axis, 1);
  std::vector<at::Tensor> both = {at::sub(at::mul(first, cosine), at::mul(second, sine)),
                                  at::add(at::mul(second, cosine), at::mul(first, sine))};
  if (rotation.is_interleaved) both = {at::stack(both, 4).flatten(3)};
  if (rest > 0) both.push_back(heads.narrow(3, 2 * pairs, rest));
  return both.size() == 1 ? both[0] : at::cat(both, 3);
}

// Closes the keys that lie too far back for each query, and those behind it: [batch, 1, tokens,
// past + tokens]. Past keys stand at the positions from 0 on.
at::Tensor WindowMask(const BlockInput& input, std::int64_t past, std::int64_t window) {
  const at::Tensor own = input.positions;
  const at::Tensor before =
      at::arange(past, own.options()).unsqueeze(0).expand({own.size(0), past});
  const at::Tensor distance = own.unsqueeze(2) - at::cat({before, own}, 1).unsqueeze(1);
  const at::Tensor is_closed = at::logical_or(at::ge(distance, window), at::lt(distance, 0));
  const at::Tensor mask = at::zeros(is_closed.sizes(), input.hidden.options().requires_grad(false))
                              .masked_fill_(is_closed, -std::numeric_limits<double>::infinity())
                              .unsqueeze(1);
  return input.mask.defined() ? at::add(mask, input.mask) : mask;
}

at::Tensor Capped(const at::Tensor& values, double cap) {
  return cap > 0 ? at::mul(at::tanh(at::div(values, cap)), cap) : values;
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
  }
}

at::Tensor Decoder::Embed(const at::Tensor& ids, const at::Tensor& positions) const {
  at::Tensor tokens = EmbedTokens(ids);
  if (config_.embedding_scale != 1) tokens = at::mul(tokens, config_.embedding_scale);
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
    context = input.cached->Attend(layer, queries, keys, values, block.attention);
  } else {
    half.present =
        Behind(input.past, {.keys = keys.transpose(1, 2), .values = values.transpose(1, 2)});
    const std::int64_t total = half.present.keys.size(2), window = block.attention.window;
    const bool is_closed = window > 0 && total > window;
    context = Attention({.queries = queries.transpose(1, 2),
                         .keys = half.present.keys,
                         .values = half.present.values,
                         .mask = is_closed ? WindowMask(input, total - tokens, window) : input.mask,
                         .scale = block.attention.scale,
                         .softcap = block.attention.softcap});
  }
  half.residual = at::add(
      input.hidden, Normalize(RowCut(context, block.attention_out), block.attention_post_norm));
  const at::Tensor& read = block.is_parallel ? input.hidden : half.residual;
  const at::Tensor inside = EnterCut(Normalize(read, block.mlp_norm), *communicator_);
  if (block.experts) {
    PassExperts(block, inside, half);
  } else {
    half.key = Key(Project(inside, block.up));
  }
  return half;
}

void Decoder::PassExperts(const Block& block, const at::Tensor& input, BlockHalf& half) const {
  const std::int64_t batch = input.size(0), tokens = input.size(1);
  const Routes routes = Route(input.flatten(0, 1), *block.experts);
  const at::Tensor inner =
      Key(Pass(input.flatten(0, 1).unsqueeze(1), routes.experts, block.up.weight, block.up.bf16));
  half.key = at::mul(inner, routes.shares.unsqueeze(-1)).view({batch, tokens, -1});
  half.experts = routes.experts.view({batch, tokens, -1});
}

at::Tensor Decoder::DownOutput(LayerIndex layer, const BlockHalf& half) const {
  const Block& block = BlockAt(layer);
  if (!half.experts.defined()) return RowCut(half.key, block.down);
  const at::Tensor experts = half.experts.flatten(0, 1);
  const at::Tensor keys = half.key.reshape({experts.size(0), experts.size(1), -1});
  const auto of_each = [&](const at::Tensor& weight) {
    return weight.defined() ? weight.view({block.down_stored.parts(), -1, config_.hidden}) : weight;
  };
  const at::Tensor outputs =
      Pass(keys, experts, of_each(block.down.weight), of_each(block.down.bf16)).sum(1);
  return SumRows(outputs.view(half.residual.sizes()), block.down);
}

at::Tensor Decoder::GatherKeys(LayerIndex layer, const at::Tensor& keys) const {
  std::vector<Slice> slices;
  for (int rank = 0; rank < shard_.ranks; ++rank)
    slices.push_back(
        families::CutIntermediate(BlockAt(layer).down_stored.width, rank, shard_.ranks));
  return GatherCut(keys.detach(), slices, *communicator_);
}

at::Tensor Decoder::FinishWith(LayerIndex layer, const at::Tensor& residual,
                               const at::Tensor& output) const {
  return at::add(residual, Normalize(output, BlockAt(layer).mlp_post_norm));
}

at::Tensor Decoder::OutputChange(LayerIndex layer, const at::Tensor& output,
                                 const at::Tensor& change) const {
  const std::optional<Norm>& norm = BlockAt(layer).mlp_post_norm;
  if (!norm) return change;
  // N(u) = g ⊙ u / rms(u), so that N(u + rms(u) · change ⊘ g) = N(u) + change but for its length.
  const at::Tensor size = at::sqrt(at::mean(at::square(output), {-1}, /*keepdim=*/true));
  const at::Tensor squares = at::square(norm->weight);
  const at::Tensor least = at::mul(at::mean(squares), kLeastWeight * kLeastWeight);
  return at::mul(at::mul(change, size), at::div(norm->weight, at::add(squares, least)));
}

at::Tensor Decoder::Logits(const at::Tensor& normed) const {
  const at::Tensor part = Linear(EnterCut(normed, *communicator_), weights_.head,
                                 weights_.head_bf16, weights_.head_bias);
  return GatherCut(Capped(part, config_.logit_softcap), vocabulary_, *communicator_);
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

std::unique_ptr<Transformer> Decoder::WithBf16Above(LayerIndex layer) const {
  auto copy = std::make_unique<Decoder>(*this);
  for (std::size_t i = static_cast<std::size_t>(layer.value()) + 1; i < weights_.blocks.size();
       ++i) {
    Block& block = copy->weights_.blocks[i];
    for (Projection* projection :
         {&block.query_key_value, &block.attention_out, &block.up, &block.down})
      projection->bf16 = projection->weight.to(at::kBFloat16);
  }
  copy->weights_.head_bf16 = weights_.head.to(at::kBFloat16);
  return copy;
}

at::Tensor Decoder::NormalizeOverHeads(const at::Tensor& heads, const Norm& norm) const {
  const at::Tensor own = heads.flatten(2);
  // Where ranks hold the same head it counts as often on either side of the mean.
  const auto count = static_cast<double>(own.size(2) * shard_.ranks);
  const at::Tensor squares = EnterCut(
      SumCut(at::sum(at::square(own), {-1}, /*keepdim=*/true), *communicator_), *communicator_);
  const at::Tensor scale = at::rsqrt(at::add(at::div(squares, count), config_.norm_epsilon));
  return at::mul(at::mul(own, scale), norm.weight).view(heads.sizes());
}

at::Tensor Decoder::Normalize(const at::Tensor& input, const Norm& norm) const {
  if (norm.is_over_heads) return NormalizeOverHeads(input, norm);
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
  return SumRows(Linear(input, projection.weight.t(), Transposed(projection.bf16), {}), projection);
}

at::Tensor Decoder::SumRows(const at::Tensor& product, const Projection& projection) const {
  const at::Tensor sum = SumCut(product, *communicator_);
  return projection.bias.defined() ? at::add(sum, projection.bias) : sum;
}

}  // namespace emend::worker::model
