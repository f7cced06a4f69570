// What the closed forms of the methods have in common. Internal to worker/edit; fp64 on the CPU.
// libtorch's exceptions pass through.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>

#include "storage/base/status.h"
#include "worker/edit/solver.h"

namespace emend::worker::edit {

// Z = [K_past K]. kInvalidArgument unless both have `rows` rows.
Result<at::Tensor> JoinKeys(const LayerProblem& problem, std::int64_t rows);

// λ by itself: the one at which a key that stands out as much as `leverage` is given eight ninths
// of its residual alone.
double AutoWeight(double leverage);

// The last `count` columns of (λI + HHᵀ)⁻¹H for H [rows, c], by the smaller of rows and c.
at::Tensor RidgeColumns(const at::Tensor& h, double weight, std::int64_t count);

}  // namespace emend::worker::edit
