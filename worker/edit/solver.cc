#include "worker/edit/solver.h"

#include <ATen/ATen.h>

#include <string>

#include "worker/model/guard.h"

namespace emend::worker::edit {

at::Tensor SolveMetric::SquaredNorms(const at::Tensor& columns) const {
  const at::Tensor of_keys = keys.t().matmul(columns).square().sum(0);
  if (!factor.defined()) return columns.square().sum(0) * weight + of_keys;
  const at::Tensor blocks = columns.unflatten(0, {factor.size(0), factor.size(1)});
  return factor.mT().matmul(blocks).square().sum(at::IntArrayRef{0, 1}) * weight + of_keys;
}

SolveMetric SolveMetric::OfBlock(std::int64_t block, std::int64_t width) const {
  return {factor.defined() ? factor.narrow(0, block, 1) : factor, weight,
          keys.narrow(0, block * width, width)};
}

Result<LayerSolution> Solver::Solve(const LayerProblem& problem) {
  return model::Guarded("solving layer " + std::to_string(problem.layer.value()), [&] {
    const at::NoGradGuard no_grad;
    return SolveLayer(problem);
  });
}

std::uint64_t Solver::held_bytes() const {
  std::uint64_t bytes = 0;
  for (const auto& [layer, covariance] : statistics_->covariance) bytes += covariance.nbytes();
  return bytes;
}

Result<at::Tensor> Solver::CovarianceOf(LayerIndex layer) const {
  const auto found = statistics_->covariance.find(layer);
  if (found == statistics_->covariance.end()) {
    return Status(StatusCode::kFailedPrecondition, "no_statistics",
                  "there are no key statistics of layer " + std::to_string(layer.value()) +
                      "; take them with `emend stats` over the layers that are edited");
  }
  return found->second.view({-1, found->second.size(-1), found->second.size(-1)});
}

at::Tensor Solver::FrozenOf(LayerIndex layer) const {
  const at::Tensor& covariance = statistics_->covariance.at(layer);
  at::Tensor frozen = at::zeros({covariance.dim() == 3 ? covariance.size(0) : 1}, at::kBool);
  const auto passed = statistics_->passed.find(layer);
  if (passed == statistics_->passed.end()) return frozen;
  for (std::size_t expert = 0; expert < passed->second.size(); ++expert) {
    if (IsFrozen(passed->second[expert], covariance.size(-1)))
      frozen[static_cast<std::int64_t>(expert)] = true;
  }
  return frozen;
}

int Solver::HolderOf(LayerIndex layer) const {
  const auto holder = statistics_->holders.find(layer);
  return holder == statistics_->holders.end() ? 0 : holder->second;
}

}  // namespace emend::worker::edit
