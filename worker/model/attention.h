// Softmax attention of a decoder: softmax(cap(scale · q kᵀ) + mask) v, with grouped heads.
#pragma once

#include <ATen/core/Tensor.h>

namespace emend::worker::model {

struct AttentionInput {
  at::Tensor queries;  // [batch, heads, tokens, head_dim]
  at::Tensor keys;     // [batch, kv_heads, past + tokens, head_dim]; kv_heads divides heads
  at::Tensor values;   // as keys
  // additive, broadcastable to [batch, 1, tokens, past + tokens]; undefined: causal
  at::Tensor mask;
  double scale = 0;    // 0: 1 / sqrt(head_dim)
  double softcap = 0;  // cap(x) = softcap · tanh(x / softcap); 0: x
};

// [batch, tokens, heads · head_dim], contiguous. A row that its mask closes to every key gives NaN.
// Short texts take two batched products, which on a CPU beat the fused kernel there, above all in
// the backward pass; long ones take the fused kernel, which never holds tokens × tokens scores, but
// for a softcap, which it does not know.
at::Tensor Attention(const AttentionInput& input);

}  // namespace emend::worker::model
