#include "worker/edit/solver.h"

#include <ATen/ATen.h>

namespace emend::worker::edit {

at::Tensor SolveMetric::SquaredNorms(const at::Tensor& columns) const {
  const auto column_sums = [](const at::Tensor& product) { return product.square().sum(0); };
  return column_sums(factor.t().matmul(columns)) * weight + column_sums(keys.t().matmul(columns));
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
