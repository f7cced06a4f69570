// MEMIT: the closed form of a batch, one layer at a time.
//
//   minimise ‖ΔᵀZ − [0 R]‖² + λ‖Δ‖²_C'  with  C' = C + ridge·tr(C)/d_ff·I,  B = λC',  Z = [K_past
//   K]
//       (Meng et al. 2022, equation 14)
//   Δ = A⁻¹K·Rᵀ = adj·Rᵀ with A = B + ZZᵀ,  adj = the last n columns of B⁻¹Z·(I + ZᵀB⁻¹Z)⁻¹
//       (Woodbury: (m + n) × (m + n) instead of d_ff × d_ff)
//
// C' is factored once per layer and ridge and kept; a batch then costs triangular solves with m + n
// columns. Nothing is inverted. More past keys than inputs are added to B, which is then factored
// for the batch: whatever the history, a solve costs d_ff³ at most. With experts C' is one block an
// expert, with a ridge of its own; of one that is frozen, or whose block cannot be factored, all
// keys' part is left out.
//
// A key k alone is given kᵀB⁻¹k / (1 + kᵀB⁻¹k) of its residual. λ by itself (mom2_update_weight 0)
// is the one at which kᵀB⁻¹k of the batch's median key is 8 (AutoWeight): what a model's keys are
// like, and how many its covariance was taken over, is in kᵀC'⁻¹k.
#include <ATen/ATen.h>

#include <map>
#include <string>
#include <utility>

#include "worker/edit/closed_form.h"

namespace emend::worker::edit {
namespace {

// x of factor·x = b, or of factorᵀ·x = b; of each block, where there are several.
at::Tensor SolveLower(const at::Tensor& factor, const at::Tensor& b) {
  return at::linalg_solve_triangular(factor, b, /*upper=*/false);
}
at::Tensor SolveLowerTransposed(const at::Tensor& factor, const at::Tensor& b) {
  return at::linalg_solve_triangular(factor.mT(), b, /*upper=*/true);
}

class Memit final : public Solver {
 public:
  using Solver::Solver;

  std::uint64_t held_bytes() const override {
    std::uint64_t bytes = Solver::held_bytes();
    for (const auto& [layer, factor] : factors_) bytes += factor.lower.nbytes();
    return bytes;
  }

 private:
  Result<LayerSolution> SolveLayer(const LayerProblem& problem) override {
    EMEND_ASSIGN_OR_RETURN(const Factor factor, FactorOf(problem));
    EMEND_ASSIGN_OR_RETURN(const at::Tensor keys,
                           JoinKeys(problem, factor.lower.size(0) * factor.lower.size(1)));
    return SolveKeys(factor, keys, problem);
  }

  struct Factor {
    double ridge = 0;
    at::Tensor lower;   // [blocks, d_ff, d_ff]
    at::Tensor frozen;  // bool [blocks]
  };

  static Result<LayerSolution> SolveKeys(const Factor& factor, const at::Tensor& all_keys,
                                         const LayerProblem& problem) {
    const std::int64_t count = problem.keys.size(1), past = all_keys.size(1) - count;
    const std::vector<std::int64_t> blocks = {factor.lower.size(0), factor.lower.size(1)};
    const at::Tensor open =
        all_keys.unflatten(0, blocks).masked_fill(factor.frozen.view({-1, 1, 1}), 0);
    LayerSolution solution;
    solution.frozen = factor.frozen.sum().item<std::int64_t>();
    const at::Tensor own = SolveLower(factor.lower, open.narrow(2, past, count)).flatten(0, 1);
    solution.leverage = own.square().sum(0).median().item<double>();
    const double asked = problem.settings.mom2_update_weight;
    solution.weight = asked > 0 ? asked : AutoWeight(solution.leverage);
    if (solution.leverage == 0) return AllFrozen(problem.layer, solution.frozen);
    const at::Tensor keys = open.flatten(0, 1);
    // A history of more keys than they have elements is cheaper in B, and its cost has a bound.
    solution.metric = blocks[0] == 1 && past > blocks[1]
                          ? Fold(factor.lower, solution.weight, keys, past)
                          : SolveMetric{factor.lower, solution.weight, keys};
    solution.adjusted_keys = Adjust(solution.metric, count);
    return solution;
  }

  // B = λC' + K_past·K_pastᵀ, so that what is left of Z are the batch's own keys.
  static SolveMetric Fold(const at::Tensor& lower, double weight, const at::Tensor& keys,
                          std::int64_t past) {
    const at::Tensor before = keys.narrow(1, 0, past);
    const at::Tensor system =
        at::add(before.matmul(before.t()), lower[0].matmul(lower[0].t()), weight);
    return {at::linalg_cholesky(system).unsqueeze(0), 1, keys.narrow(1, past, keys.size(1) - past)};
  }

  // The last `count` columns of A⁻¹Z.
  static at::Tensor Adjust(const SolveMetric& metric, std::int64_t count) {
    const at::Tensor keys =
        metric.keys.unflatten(0, {metric.factor.size(0), metric.factor.size(1)});
    // L⁻¹Z, so that ZᵀB⁻¹Z = halfᵀ·half / weight
    const at::Tensor half = SolveLower(metric.factor, keys).flatten(0, 1);
    const at::Tensor own = RidgeColumns(half, metric.weight, count)
                               .unflatten(0, {metric.factor.size(0), metric.factor.size(1)});
    return SolveLowerTransposed(metric.factor, own).flatten(0, 1);
  }

  static Status AllFrozen(LayerIndex layer, std::int64_t frozen) {
    return {StatusCode::kFailedPrecondition, "experts_frozen",
            "most of the batch's keys at layer " + std::to_string(layer.value()) +
                " are 0: they pass none but its " + std::to_string(frozen) +
                " experts of which the statistics saw too few tokens; take statistics over more"};
  }

  // Of C'; kept for the ridge that was last asked for.
  Result<Factor> FactorOf(const LayerProblem& problem) {
    const double ridge = problem.settings.ridge;
    const auto kept = factors_.find(problem.layer);
    if (kept != factors_.end() && kept->second.ridge == ridge) return kept->second;
    EMEND_ASSIGN_OR_RETURN(const at::Tensor covariance, CovarianceOf(problem.layer));
    const std::int64_t d_ff = covariance.size(-1);
    at::Tensor system = covariance.clone();
    const at::Tensor diagonal = system.diagonal(0, 1, 2);
    diagonal.add_(diagonal.mean(1, /*keepdim=*/true), ridge);
    auto [lower, info] = at::linalg_cholesky_ex(system);
    if (statistics().passed.contains(problem.layer)) {
      const at::Tensor frozen = FrozenOf(problem.layer).logical_or(info.ne(0));
      lower = at::where(frozen.view({-1, 1, 1}), at::eye(d_ff, at::kDouble), lower);
      return factors_[problem.layer] = Factor{ridge, lower, frozen};
    }
    if (info.item<int>() != 0) {
      return Status(
          StatusCode::kFailedPrecondition, "singular_statistics",
          "the key covariance of layer " + std::to_string(problem.layer.value()) + " over " +
              std::to_string(statistics().tokens) + " tokens is not positive definite at minor " +
              std::to_string(info.item<int>()) + " of " + std::to_string(d_ff) + " with ridge " +
              std::to_string(ridge) + "; take statistics over more tokens, or set a larger ridge");
    }
    return factors_[problem.layer] = Factor{ridge, lower, at::zeros({1}, at::kBool)};
  }

  std::map<LayerIndex, Factor> factors_;
};

}  // namespace

std::unique_ptr<Solver> NewMemit(std::shared_ptr<const Statistics> statistics) {
  return std::make_unique<Memit>(std::move(statistics));
}

}  // namespace emend::worker::edit
