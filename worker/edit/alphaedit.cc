// AlphaEdit (Fang et al. 2024): MEMIT's residuals, but only where ordinary text has nothing.
//
//   P = UUᵀ, U the eigenvectors of C whose eigenvalue is below nullspace_threshold · tr(C)/d_ff
//   Δ = (P·ZZᵀ + λI)⁻¹·P·K·Rᵀ      (their L2 is λ, mom2_update_weight here)
//     = adj·Rᵀ,  adj = the last n columns of U(λI + HHᵀ)⁻¹H  with  H = UᵀZ,  Z = [K_past K]
//
// so that ΔᵀU⊥ = 0. It is minimising ‖ΔᵀZ − [0 R]‖² + ‖Δ‖²_B with B = λ in the null space and
// endless outside of it. λ by itself is as MEMIT's: a key k alone is given h/(1 + h) of its
// residual, h = kᵀPk/λ, and the batch's median key has h = 8. The threshold is in mean eigenvalues,
// so that it says the same of every model; published is 0.02, which is 0.6 to 2 of them.
//
// C is turned into its eigenvectors once per layer, which are kept; a batch then costs products
// with m + n columns. With experts each has its own null space.
//
// The metric is MEMIT's, λ'C' + ZZᵀ with the λ' that MEMIT would take: Δ itself weighs nothing in C
// there but what the threshold lets through, and what rounding adds outside of the null space
// weighs what it does to ordinary text.
#include <ATen/ATen.h>

#include <map>
#include <string>
#include <utility>

#include "worker/edit/closed_form.h"

namespace emend::worker::edit {
namespace {

// Of the mean: what an eigenvalue at least counts for where it is divided by.
constexpr double kEigenvalueMin = 1e-12;

class AlphaEdit final : public Solver {
 public:
  using Solver::Solver;

  std::uint64_t held_bytes() const override {
    std::uint64_t bytes = Solver::held_bytes();
    for (const auto& [layer, spectrum] : spectra_)
      bytes += spectrum.vectors.nbytes() + spectrum.values.nbytes();
    return bytes;
  }

 private:
  Result<LayerSolution> SolveLayer(const LayerProblem& problem) override {
    EMEND_ASSIGN_OR_RETURN(const Spectrum spectrum, SpectrumOf(problem.layer));
    EMEND_ASSIGN_OR_RETURN(const at::Tensor keys, JoinKeys(problem, spectrum.values.numel()));
    return SolveKeys(spectrum, keys, problem);
  }

  // Of C, block by block.
  struct Spectrum {
    at::Tensor values;   // [blocks, d_ff], ascending
    at::Tensor vectors;  // [blocks, d_ff, d_ff], a column each
    at::Tensor mean;     // [blocks, 1]: tr(C)/d_ff
    at::Tensor frozen;   // bool [blocks]
  };

  static Result<LayerSolution> SolveKeys(const Spectrum& spectrum, const at::Tensor& all_keys,
                                         const LayerProblem& problem) {
    const std::int64_t count = problem.keys.size(1), past = all_keys.size(1) - count;
    const at::Tensor open = all_keys.unflatten(0, spectrum.values.sizes())
                                .masked_fill(spectrum.frozen.view({-1, 1, 1}), 0);
    const at::Tensor turned = spectrum.vectors.mT().matmul(open);
    const at::Tensor taken =
        spectrum.values >= spectrum.mean * problem.settings.nullspace_threshold;
    const at::Tensor free = turned.masked_fill(taken.unsqueeze(2), 0).flatten(0, 1);
    LayerSolution solution;
    solution.frozen = spectrum.frozen.sum().item<std::int64_t>();
    solution.leverage = free.narrow(1, past, count).square().sum(0).median().item<double>();
    const double asked = problem.settings.mom2_update_weight;
    solution.weight = asked > 0 ? asked : AutoWeight(solution.leverage);
    if (solution.leverage == 0) return NoNullSpace(problem, taken);
    solution.adjusted_keys =
        spectrum.vectors
            .matmul(
                RidgeColumns(free, solution.weight, count).view_as(turned.narrow(2, past, count)))
            .flatten(0, 1);
    solution.metric = MetricOf(spectrum, turned.narrow(2, past, count), problem.settings.ridge);
    solution.metric.keys = open.flatten(0, 1);
    return solution;
  }

  // `own`: the batch's keys by eigenvectors. The metric's keys are left out.
  static SolveMetric MetricOf(const Spectrum& spectrum, const at::Tensor& own, double ridge) {
    const at::Tensor values =
        (spectrum.values + spectrum.mean * ridge).maximum(spectrum.mean * kEigenvalueMin);
    const at::Tensor leverages = (own.square() / values.unsqueeze(2)).sum(at::IntArrayRef{0, 1});
    return {spectrum.vectors * values.sqrt().unsqueeze(1),
            AutoWeight(leverages.median().item<double>()),
            {}};
  }

  static Status NoNullSpace(const LayerProblem& problem, const at::Tensor& taken) {
    return {StatusCode::kFailedPrecondition, "no_null_space",
            "solving layer " + std::to_string(problem.layer.value()) +
                ": most of the batch's keys have no part in its null space, which is " +
                std::to_string(taken.logical_not().sum().item<std::int64_t>()) + " of " +
                std::to_string(taken.numel()) + " directions at nullspace_threshold " +
                std::to_string(problem.settings.nullspace_threshold) +
                "; set a larger one, or take statistics over more tokens"};
  }

  Result<Spectrum> SpectrumOf(LayerIndex layer) {
    const auto kept = spectra_.find(layer);
    if (kept != spectra_.end()) return kept->second;
    EMEND_ASSIGN_OR_RETURN(const at::Tensor covariance, CovarianceOf(layer));
    auto [values, vectors] = at::linalg_eigh(covariance);
    return spectra_[layer] =
               Spectrum{values, vectors, values.mean(1, /*keepdim=*/true), FrozenOf(layer)};
  }

  std::map<LayerIndex, Spectrum> spectra_;
};

}  // namespace

std::unique_ptr<Solver> NewAlphaEdit(std::shared_ptr<const Statistics> statistics) {
  return std::make_unique<AlphaEdit>(std::move(statistics));
}

}  // namespace emend::worker::edit
