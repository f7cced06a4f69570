// The closed form of MEMIT, one layer at a time, in fp64.
//
//   minimise ‖ΔᵀK − R‖² + λ‖Δ‖²_C'  with  C' = C + ridge·tr(C)/d_ff·I,  B = λC',  A = B + KKᵀ
//       (Meng et al. 2022, equation 14)
//   Δ = A⁻¹K·Rᵀ = adj·Rᵀ,  adj = B⁻¹K·(I + KᵀB⁻¹K)⁻¹
//       (Woodbury: n × n instead of d_ff × d_ff)
//
// B is factored once per layer and (λ, ridge) and kept; a batch then costs triangular solves with n
// columns. Nothing is inverted.
//
//   LayerSolver solver(statistics);
//   EMEND_ASSIGN_OR_RETURN(LayerSolution solution, solver.Solve(layer, {.lambda = 300, .ridge =
//       1e-2}, keys));
//
// Over several ranks each solves the layers whose statistics it holds (HolderOf).
// Thread-safety: used by one thread at a time; the factors that it keeps make it worth keeping
// between batches. Owns what it holds; tensors on the CPU.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <map>
#include <memory>

#include "storage/base/ids.h"
#include "storage/base/status.h"
#include "worker/edit/statistics.h"

namespace emend::worker::edit {

struct SolveWeights {
  double lambda = 0;
  double ridge = 0;
  friend bool operator==(const SolveWeights&, const SolveWeights&) = default;
};

// The norm of the solve, ‖x‖²_A = xᵀAx with A = B + KKᵀ, for many columns at once.
struct SolveMetric {
  at::Tensor factor;  // [d_ff, d_ff] fp64, lower triangular: B = factor·factorᵀ
  at::Tensor keys;    // K, [d_ff, n] fp64

  // [m] fp64 for `columns` [d_ff, m] fp64.
  at::Tensor SquaredNorms(const at::Tensor& columns) const;
};

struct LayerSolution {
  at::Tensor adjusted_keys;  // adj, [d_ff, n] fp64
  SolveMetric metric;
};

class LayerSolver {
 public:
  explicit LayerSolver(std::shared_ptr<const Statistics> statistics);

  // `keys` is K, [d_ff, n]. kFailedPrecondition: no statistics of this layer ("no_statistics"), or
  // C' is not positive definite in fp64 ("singular_statistics": more tokens or a larger ridge are
  // needed). kInvalidArgument: shapes.
  Result<LayerSolution> Solve(LayerIndex layer, const SolveWeights& weights,
                              const at::Tensor& keys);

  // The rank that solves the layer; 0 for one without statistics, whose Solve says so.
  int HolderOf(LayerIndex layer) const;
  // Of covariances and factors.
  std::uint64_t held_bytes() const;
  const Statistics& statistics() const { return *statistics_; }

 private:
  struct Factor {
    SolveWeights weights;
    at::Tensor lower;
  };

  Result<at::Tensor> FactorOf(LayerIndex layer, const SolveWeights& weights);

  std::shared_ptr<const Statistics> statistics_;
  std::map<LayerIndex, Factor> factors_;  // of the weights last asked for
};

}  // namespace emend::worker::edit
