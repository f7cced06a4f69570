#include "worker/edit/moment_sum.h"

#include <ATen/ATen.h>

#include <algorithm>

namespace emend::worker::edit {
namespace {

constexpr std::int64_t kBlockBytes = std::int64_t{64} << 20;
constexpr std::int64_t kPanelRows = 256;

}  // namespace

MomentSum::MomentSum(families::Slice rows, std::int64_t size, ThreadTeam& team, std::int64_t sums)
    : team_(team),
      rows_(rows),
      size_(size),
      block_tokens_(std::clamp<std::int64_t>(kBlockBytes / (4 * size * sums), 512, 8192)),
      sum_(at::zeros({rows.size, size}, at::kDouble)) {}

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
  team_.ForEach((rows_.size + kPanelRows - 1) / kPanelRows, [&](std::int64_t panel) {
    const std::int64_t row = panel * kPanelRows;
    const std::int64_t rows = std::min(kPanelRows, rows_.size - row);
    const std::int64_t first = IsWhole() ? row : 0;
    const at::Tensor product =
        keys.narrow(1, rows_.begin + row, rows).t().matmul(keys.narrow(1, first, size_ - first));
    sum_.narrow(0, row, rows).narrow(1, first, size_ - first).add_(product.cpu());
  });
}

at::Tensor MomentSum::Total() {
  MultiplyBlock();
  return IsWhole() ? sum_.triu() + sum_.triu(1).t() : sum_;
}

}  // namespace emend::worker::edit
