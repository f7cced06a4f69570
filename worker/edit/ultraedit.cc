// UltraEdit (Gu et al. 2025): one step against the gradient of the answers, no target and no
// covariance.
//
//   Δ = (HHᵀ + λI)⁻¹H·Vᵀ = adj·Vᵀ,  adj = H(HᵀH + λI)⁻¹,  λ = 1 as published (mom2_update_weight)
//
// H [d_ff, c] are the inputs of the down projection at the tokens of the answers, a column each,
// and V what each of them shall give (answer_gradients.h). The small system is the dual one: c × c,
// and nothing of d_ff². It is minimising ‖ΔᵀZ − [0 V]‖² + λ‖Δ‖² with Z = [K_past H], which is the
// metric, too.
#include <ATen/ATen.h>

#include "worker/edit/closed_form.h"

namespace emend::worker::edit {
namespace {

class UltraEdit final : public Solver {
 public:
  using Solver::Solver;

 private:
  Result<LayerSolution> SolveLayer(const LayerProblem& problem) override {
    const std::int64_t count = problem.keys.size(1);
    EMEND_ASSIGN_OR_RETURN(const at::Tensor keys, JoinKeys(problem, problem.keys.size(0)));
    LayerSolution solution;
    solution.leverage =
        keys.narrow(1, keys.size(1) - count, count).square().sum(0).median().item<double>();
    const double asked = problem.settings.mom2_update_weight;
    solution.weight = asked > 0 ? asked : AutoWeight(solution.leverage);
    solution.adjusted_keys = RidgeColumns(keys, solution.weight, count);
    solution.metric = {{}, solution.weight, keys};
    return solution;
  }
};

}  // namespace

std::unique_ptr<Solver> NewUltraEdit(std::shared_ptr<const Statistics> statistics) {
  return std::make_unique<UltraEdit>(std::move(statistics));
}

}  // namespace emend::worker::edit
