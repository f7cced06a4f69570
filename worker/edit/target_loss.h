// The two terms of a target's loss that come from predictions, with their gradients by the logits
// in closed form. Internal to worker/edit.
//
// Written out rather than left to autograd: the softmax over the vocabulary is the widest tensor of
// a step, and this way it is passed over as rarely as possible.
#pragma once

#include <ATen/core/Tensor.h>

namespace emend::worker::edit {

struct LogitLoss {
  at::Tensor losses;     // [m] fp32, weighted
  at::Tensor gradients;  // [m, vocabulary] fp32: of losses[i] by logits[i]
};

// losses[i] = −weights[i]·log p(ids[i]); `logits` [m, vocabulary], ids int64 [m], weights fp32 [m].
LogitLoss TargetLoss(const at::Tensor& logits, const at::Tensor& ids, const at::Tensor& weights);

// losses[i] = factor·Σ p·(log p − log p0), p the current and p0 = exp(initial) the initial
// prediction, both [m, vocabulary]. An undefined `initial` is set to the current prediction. The
// direction is the published code's (its initial and current prediction stand as input and target
// of kl_div).
LogitLoss DriftLoss(const at::Tensor& logits, double factor, at::Tensor& initial);

}  // namespace emend::worker::edit
