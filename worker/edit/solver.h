// Solver: what a method makes of one layer, in fp64: from the keys of a batch to the vectors that
// are multiplied with its residuals.
//
//   EMEND_ASSIGN_OR_RETURN(std::unique_ptr<Solver> solver, NewSolver("memit", statistics));
//   EMEND_ASSIGN_OR_RETURN(LayerSolution solution,
//                          solver->Solve({.layer = layer, .settings = settings, .keys = keys}));
//   // Δ = solution.adjusted_keys · Rᵀ, [d_ff, d]
//
// All methods minimise ‖ΔᵀZ − [0 R]‖² + ‖Δ‖²_B with Z = [K_past K]: they differ in B and in what
// they take for a key. Over several ranks each solves the layers whose statistics it holds
// (HolderOf). Below, d_ff of a layer with experts is all experts': a block each. Thread-safety:
// used by one thread at a time; what a solver keeps between batches (factors) makes it worth
// keeping. Tensors on the CPU.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <memory>
#include <span>
#include <string_view>
#include <utility>

#include "storage/base/ids.h"
#include "storage/base/status.h"
#include "worker/edit/statistics.h"
#include "worker/protocol/solve_settings.h"

namespace emend::worker::edit {

struct LayerProblem {
  LayerIndex layer;
  const protocol::SolveSettings& settings;
  at::Tensor keys;            // K, [d_ff, n]
  at::Tensor past_keys = {};  // K_past, [d_ff, m]: what must stay as it is; undefined: none
};

// The norm of the solve, ‖x‖²_A = xᵀAx with A = B + ZZᵀ, for many columns at once.
struct SolveMetric {
  // [blocks, d_ff, d_ff] fp64: B = weight · factor·factorᵀ, block by block; undefined: B = weight·I
  at::Tensor factor;
  double weight = 1;
  at::Tensor keys;  // Z, [d_ff, m + n] fp64

  // [c] fp64 for `columns` [d_ff, c] fp64.
  at::Tensor SquaredNorms(const at::Tensor& columns) const;
  // Of vectors that are 0 outside of one block of this width, by what they are in it.
  SolveMetric OfBlock(std::int64_t block, std::int64_t width) const;
};

struct LayerSolution {
  at::Tensor adjusted_keys;  // adj = A⁻¹K, [d_ff, n] fp64
  SolveMetric metric;
  double leverage = 0;      // median over the batch of kᵀC'⁻¹k: how far its keys stand out
  double weight = 0;        // λ that was used
  std::int64_t frozen = 0;  // experts whose part of every key was left out
};

class Solver {
 public:
  explicit Solver(std::shared_ptr<const Statistics> statistics)
      : statistics_(std::move(statistics)) {}
  virtual ~Solver() = default;
  Solver(const Solver&) = delete;
  Solver& operator=(const Solver&) = delete;

  // kFailedPrecondition: no statistics of this layer ("no_statistics"), or what is to be factored
  // is not positive definite in fp64 ("singular_statistics": more tokens or a larger ridge are
  // needed); all that the keys pass is frozen ("experts_frozen"). kInvalidArgument: shapes.
  Result<LayerSolution> Solve(const LayerProblem& problem);
  // Of covariances and factors.
  virtual std::uint64_t held_bytes() const;

  // The rank that solves the layer; 0 for one without statistics, whose Solve says so.
  int HolderOf(LayerIndex layer) const;
  const Statistics& statistics() const { return *statistics_; }

 protected:
  // As Solve, which has turned gradients off and makes an error of what libtorch throws.
  virtual Result<LayerSolution> SolveLayer(const LayerProblem& problem) = 0;
  // [blocks, d_ff, d_ff]; kFailedPrecondition ("no_statistics").
  Result<at::Tensor> CovarianceOf(LayerIndex layer) const;
  // bool [blocks]: experts that too few tokens pass (IsFrozen). REQUIRES: it has a covariance.
  at::Tensor FrozenOf(LayerIndex layer) const;

 private:
  const std::shared_ptr<const Statistics> statistics_;
};

// The table of methods (methods.cc): their names are those of protocol::SolveMethods().
struct Method {
  std::string_view name;
  std::unique_ptr<Solver> (*make)(std::shared_ptr<const Statistics> statistics);
};
std::span<const Method> Methods();
// kUnsupported as protocol::CheckMethod.
Result<std::unique_ptr<Solver>> NewSolver(std::string_view method,
                                          std::shared_ptr<const Statistics> statistics);

}  // namespace emend::worker::edit
