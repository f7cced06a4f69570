#include "worker/edit/target_loss.h"

#include <ATen/ATen.h>

namespace emend::worker::edit {

LogitLoss TargetLoss(const at::Tensor& logits, const at::Tensor& ids, const at::Tensor& weights) {
  const at::NoGradGuard no_grad;
  at::Tensor log_p = at::log_softmax(logits.detach(), -1);
  const at::Tensor places = ids.unsqueeze(1);
  const at::Tensor losses = log_p.gather(1, places).squeeze(1).neg_().mul_(weights);
  const at::Tensor row_weights = weights.unsqueeze(1);
  const at::Tensor gradients = log_p.exp_().mul_(row_weights).scatter_add_(1, places, -row_weights);
  return {losses, gradients};
}

LogitLoss DriftLoss(const at::Tensor& logits, double factor, at::Tensor& initial) {
  const at::NoGradGuard no_grad;
  const at::Tensor log_p = at::log_softmax(logits.detach(), -1);
  if (!initial.defined()) initial = log_p.clone();
  const at::Tensor p = log_p.exp();
  const at::Tensor ratio = log_p - initial;
  const at::Tensor divergence = (p * ratio).sum(-1, /*keepdim=*/true);
  return {divergence.squeeze(1) * factor, p.mul(ratio.sub_(divergence)).mul_(factor)};
}

}  // namespace emend::worker::edit
