#include "worker/edit/moment_sum.h"

#include <ATen/ATen.h>

#include <algorithm>

namespace emend::worker::edit {
namespace {

constexpr std::int64_t kBlockBytes = std::int64_t{64} << 20;
constexpr std::int64_t kPanelRows = 256;

}  // namespace

MomentSum::MomentSum(std::int64_t size, ThreadTeam& team)
    : team_(team), size_(size), block_tokens_(std::clamp<std::int64_t>(kBlockBytes / (4 * size), 512, 8192)), sum_(at::zeros({size, size}, at::kDouble)) {}

void MomentSum::Add(const at::Tensor& keys) {
  waiting_.push_back(keys);
  waiting_tokens_ += keys.size(0);
  if (waiting_tokens_ >= block_tokens_) MultiplyBlock();
}

void MomentSum::MultiplyBlock() {
  if (waiting_.empty()) return;
  const at::Tensor keys = at::cat(waiting_);
  waiting_.clear();
  waiting_tokens_ = 0;
  team_.ForEach((size_ + kPanelRows - 1) / kPanelRows, [&](std::int64_t panel) {
    const std::int64_t row = panel * kPanelRows;
    const std::int64_t rows = std::min(kPanelRows, size_ - row);
    const at::Tensor product = keys.narrow(1, row, rows).t().matmul(keys.narrow(1, row, size_ - row));
    sum_.narrow(0, row, rows).narrow(1, row, size_ - row).add_(product.cpu());
  });
}

at::Tensor MomentSum::Total() {
  MultiplyBlock();
  return sum_.triu() + sum_.triu(1).t();
}

}  // namespace emend::worker::edit
