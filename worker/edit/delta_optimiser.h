// DeltaOptimiser: the δ of many facts and their Adam moments; each fact moves as if it were alone.
// Internal to worker/edit.
//
// Plain Adam (Kingma and Ba 2015; β 0.9 and 0.999, ε 1e-8), then ‖δ‖ is cut to
// clamp_norm_factor·‖z0‖. The decay term v_weight_decay·‖δ‖/‖z0‖² is added here. Used by one
// thread.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>

#include "worker/protocol/solve_settings.h"

namespace emend::worker::edit {

class DeltaOptimiser {
 public:
  // `initial` is z0, [facts, d] fp32. Borrows the settings.
  DeltaOptimiser(const protocol::SolveSettings& settings, at::Tensor initial);

  const at::Tensor& deltas() const { return deltas_; }  // [facts, d]
  at::Tensor Values() const { return initial_ + deltas_; }
  at::Tensor DecayLosses() const;  // [facts]

  // Moves the active facts (bool [facts]) against `gradients` [facts, d] of their losses without
  // the decay term. `step` counts from 1.
  void Step(const at::Tensor& gradients, const at::Tensor& active, std::int64_t step);

 private:
  const protocol::SolveSettings& settings_;
  const at::Tensor initial_;
  const at::Tensor limit_;         // [facts, 1]: the largest ‖δ‖
  const at::Tensor decay_factor_;  // [facts, 1]: v_weight_decay / ‖z0‖²
  at::Tensor deltas_;
  at::Tensor first_moment_;
  at::Tensor second_moment_;
};

}  // namespace emend::worker::edit
