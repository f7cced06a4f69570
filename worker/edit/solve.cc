#include "worker/edit/solve.h"

#include <ATen/ATen.h>

#include <string>
#include <utility>

#include "worker/model/guard.h"

namespace emend::worker::edit {
namespace {

// x of factor·x = b, or of factorᵀ·x = b.
at::Tensor SolveLower(const at::Tensor& factor, const at::Tensor& b) {
  return at::linalg_solve_triangular(factor, b, /*upper=*/false);
}
at::Tensor SolveLowerTransposed(const at::Tensor& factor, const at::Tensor& b) {
  return at::linalg_solve_triangular(factor.t(), b, /*upper=*/true);
}

}  // namespace

at::Tensor SolveMetric::SquaredNorms(const at::Tensor& columns) const {
  const auto column_sums = [](const at::Tensor& product) { return product.square().sum(0); };
  return column_sums(factor.t().matmul(columns)) + column_sums(keys.t().matmul(columns));
}

LayerSolver::LayerSolver(std::shared_ptr<const Statistics> statistics)
    : statistics_(std::move(statistics)) {}

int LayerSolver::HolderOf(LayerIndex layer) const {
  const auto holder = statistics_->holders.find(layer);
  return holder == statistics_->holders.end() ? 0 : holder->second;
}

std::uint64_t LayerSolver::held_bytes() const {
  std::uint64_t bytes = 0;
  for (const auto& [layer, covariance] : statistics_->covariance) bytes += covariance.nbytes();
  for (const auto& [layer, factor] : factors_) bytes += factor.lower.nbytes();
  return bytes;
}

Result<at::Tensor> LayerSolver::FactorOf(LayerIndex layer, const SolveWeights& weights) {
  const auto kept = factors_.find(layer);
  if (kept != factors_.end() && kept->second.weights == weights) return kept->second.lower;
  const auto found = statistics_->covariance.find(layer);
  if (found == statistics_->covariance.end()) {
    return Status(StatusCode::kFailedPrecondition, "no_statistics",
                  "there are no key statistics of layer " + std::to_string(layer.value()) +
                      "; take them with `emend stats` over the layers that are edited");
  }
  const at::Tensor& covariance = found->second;
  const double d_ff = static_cast<double>(covariance.size(0));
  at::Tensor system = covariance * weights.lambda;
  system.diagonal().add_(weights.lambda * weights.ridge * covariance.trace().item<double>() / d_ff);
  auto [lower, info] = at::linalg_cholesky_ex(system);
  if (info.item<int>() != 0) {
    return Status(
        StatusCode::kFailedPrecondition, "singular_statistics",
        "the key covariance of layer " + std::to_string(layer.value()) + " over " +
            std::to_string(statistics_->tokens) + " tokens is not positive definite at minor " +
            std::to_string(info.item<int>()) + " of " + std::to_string(covariance.size(0)) +
            " with ridge " + std::to_string(weights.ridge) +
            "; take statistics over more tokens, or set a larger ridge");
  }
  factors_[layer] = Factor{weights, lower};
  return lower;
}

Result<LayerSolution> LayerSolver::Solve(LayerIndex layer, const SolveWeights& weights,
                                         const at::Tensor& keys) {
  return model::Guarded(
      "solving layer " + std::to_string(layer.value()), [&]() -> Result<LayerSolution> {
        const at::NoGradGuard no_grad;
        EMEND_ASSIGN_OR_RETURN(const at::Tensor factor, FactorOf(layer, weights));
        if (keys.dim() != 2 || keys.size(0) != factor.size(0)) {
          return InvalidArgument("solving layer " + std::to_string(layer.value()) +
                                 ": keys must have " + std::to_string(factor.size(0)) + " rows");
        }
        const at::Tensor wide_keys = keys.to(at::kDouble);
        const at::Tensor half = SolveLower(factor, wide_keys);  // L⁻¹K, so that KᵀB⁻¹K = halfᵀ·half
        at::Tensor small = half.t().matmul(half);
        small.diagonal().add_(1.0);
        const at::Tensor small_factor = at::linalg_cholesky(small);
        const at::Tensor right =
            SolveLowerTransposed(small_factor, SolveLower(small_factor, half.t())).t();
        return LayerSolution{SolveLowerTransposed(factor, right), SolveMetric{factor, wide_keys}};
      });
}

}  // namespace emend::worker::edit
