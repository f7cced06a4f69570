#include "worker/edit/delta_optimiser.h"

#include <ATen/ATen.h>

#include <cmath>
#include <utility>

namespace emend::worker::edit {
namespace {

constexpr double kBeta1 = 0.9;
constexpr double kBeta2 = 0.999;
constexpr double kAdamEpsilon = 1e-8;
constexpr double kNormMin = 1e-20;  // the gradient of ‖δ‖ at 0 is taken as 0

at::Tensor RowNorms(const at::Tensor& rows) { return rows.norm(2, {1}, /*keepdim=*/true); }

}  // namespace

DeltaOptimiser::DeltaOptimiser(const protocol::SolveSettings& settings, at::Tensor initial)
    : settings_(settings),
      initial_(std::move(initial)),
      limit_(RowNorms(initial_) * settings.clamp_norm_factor),
      decay_factor_(settings.v_weight_decay / RowNorms(initial_).square()),
      deltas_(at::zeros_like(initial_)),
      first_moment_(at::zeros_like(initial_)),
      second_moment_(at::zeros_like(initial_)) {}

at::Tensor DeltaOptimiser::DecayLosses() const {
  return (RowNorms(deltas_) * decay_factor_).squeeze(1);
}

void DeltaOptimiser::Step(const at::Tensor& gradients, const at::Tensor& active,
                          std::int64_t step) {
  const at::Tensor total =
      gradients + deltas_ / RowNorms(deltas_).clamp_min_(kNormMin) * decay_factor_;
  first_moment_.mul_(kBeta1).add_(total, 1 - kBeta1);
  second_moment_.mul_(kBeta2).addcmul_(total, total, 1 - kBeta2);
  const double bias1 = 1 - std::pow(kBeta1, static_cast<double>(step));
  const double bias2 = 1 - std::pow(kBeta2, static_cast<double>(step));
  const at::Tensor moved = deltas_ - first_moment_ * (settings_.v_lr / bias1) /
                                         ((second_moment_ / bias2).sqrt_() + kAdamEpsilon);
  const at::Tensor norms = RowNorms(moved);
  const at::Tensor clamped = at::where(norms > limit_, moved * (limit_ / norms), moved);
  deltas_ = at::where(active.unsqueeze(1), clamped, deltas_);
}

}  // namespace emend::worker::edit
