#include "worker/edit/solver.h"

#include <ATen/ATen.h>

namespace emend::worker::edit {

at::Tensor SolveMetric::SquaredNorms(const at::Tensor& columns) const {
  const at::Tensor blocks = columns.unflatten(0, {factor.size(0), factor.size(1)});
  return factor.mT().matmul(blocks).square().sum(at::IntArrayRef{0, 1}) * weight +
         keys.t().matmul(columns).square().sum(0);
}

SolveMetric SolveMetric::OfBlock(std::int64_t block) const {
  const std::int64_t width = factor.size(1);
  return {factor.narrow(0, block, 1), weight, keys.narrow(0, block * width, width)};
}

std::uint64_t Solver::held_bytes() const {
  std::uint64_t bytes = 0;
  for (const auto& [layer, covariance] : statistics_->covariance) bytes += covariance.nbytes();
  return bytes;
}

int Solver::HolderOf(LayerIndex layer) const {
  const auto holder = statistics_->holders.find(layer);
  return holder == statistics_->holders.end() ? 0 : holder->second;
}

}  // namespace emend::worker::edit
