#include "worker/model/attention.h"

#include <ATen/ATen.h>

#include <cmath>
#include <limits>
#include <optional>

namespace emend::worker::model {
namespace {

// Measured on two cores, head_dim 32: 10 ms against 18 ms forward and backward at 5 tokens over 12
// past ones, equal at about 16.
constexpr std::int64_t kShortTokensMax = 16;

at::Tensor CausalMask(std::int64_t tokens, std::int64_t total, const at::TensorOptions& options) {
  return at::full({tokens, total}, -std::numeric_limits<double>::infinity(), options)
      .triu_(total - tokens + 1);
}

// q and k, v share a head dimension of kv_heads, so that the queries of one group stand under one
// another and no key is copied per query head.
at::Tensor ShortAttention(const AttentionInput& input, const at::Tensor& mask) {
  const std::int64_t batch = input.queries.size(0), heads = input.queries.size(1),
                     tokens = input.queries.size(2), head_dim = input.queries.size(3);
  const std::int64_t kv_heads = input.keys.size(1), total = input.keys.size(2),
                     group = heads / kv_heads;
  const at::Tensor queries = input.queries.reshape({batch * kv_heads, group * tokens, head_dim});
  const at::Tensor keys = input.keys.reshape({batch * kv_heads, total, head_dim});
  const at::Tensor values = input.values.reshape({batch * kv_heads, total, head_dim});
  const double scale = input.scale > 0 ? input.scale : 1 / std::sqrt(static_cast<double>(head_dim));
  // beta 0: the first argument is not read; the product comes out scaled without a pass of its own.
  at::Tensor scores =
      at::baddbmm(at::empty({1, 1, 1}, queries.options()), queries, keys.transpose(1, 2), 0, scale);
  if (input.softcap > 0) scores = at::mul(at::tanh(at::div(scores, input.softcap)), input.softcap);
  scores = scores.view({batch, heads, tokens, total});
  if (mask.defined()) scores = scores.add(mask);
  const at::Tensor weights =
      at::softmax(scores, -1).view({batch * kv_heads, group * tokens, total});
  return at::bmm(weights, values).view({batch, heads, tokens, head_dim});
}

at::Tensor LongAttention(const AttentionInput& input, const at::Tensor& mask, bool causal) {
  const std::int64_t group = input.queries.size(1) / input.keys.size(1);
  const at::Tensor keys = group == 1 ? input.keys : input.keys.repeat_interleave(group, 1);
  const at::Tensor values = group == 1 ? input.values : input.values.repeat_interleave(group, 1);
  return at::scaled_dot_product_attention(
      input.queries, keys, values, mask.defined() ? std::optional<at::Tensor>(mask) : std::nullopt,
      0.0, causal, input.scale > 0 ? std::optional<double>(input.scale) : std::nullopt);
}

}  // namespace

at::Tensor Attention(const AttentionInput& input) {
  const std::int64_t tokens = input.queries.size(2), total = input.keys.size(2);
  const bool is_short = tokens <= kShortTokensMax || input.softcap > 0;
  const bool fused_causal = !input.mask.defined() && !is_short && tokens == total;
  at::Tensor mask = input.mask;
  if (!mask.defined() && tokens > 1 && !fused_causal)
    mask = CausalMask(tokens, total, input.queries.options().requires_grad(false));
  if (mask.defined() && mask.dim() == 3) mask = mask.unsqueeze(0);
  const at::Tensor heads =
      is_short ? ShortAttention(input, mask) : LongAttention(input, mask, fused_causal);
  return heads.transpose(1, 2).reshape({heads.size(0), tokens, -1});
}

}  // namespace emend::worker::model
