#include "worker/edit/batching.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <numeric>

namespace emend::worker::edit {

std::vector<RowGroup> GroupByLength(std::span<const std::int64_t> lengths,
                                    std::int64_t tokens_max) {
  std::vector<std::int64_t> order(lengths.size());
  std::iota(order.begin(), order.end(), 0);
  std::stable_sort(order.begin(), order.end(),
                   [&](std::int64_t a, std::int64_t b) { return lengths[a] > lengths[b]; });
  std::vector<RowGroup> groups;
  for (const std::int64_t row : order) {
    const bool fits =
        !groups.empty() && 8 * lengths[row] >= 7 * groups.back().length &&
        static_cast<std::int64_t>(groups.back().rows.size() + 1) * groups.back().length <=
            tokens_max;
    if (!fits) groups.push_back({.rows = {}, .length = lengths[row]});
    groups.back().rows.push_back(row);
  }
  return groups;
}

at::Tensor PadTokens(std::span<const std::vector<tokenizer::TokenId>* const> rows,
                     std::int64_t length) {
  at::Tensor ids = at::zeros({static_cast<std::int64_t>(rows.size()), length}, at::kLong);
  std::int64_t* out = ids.mutable_data_ptr<std::int64_t>();
  for (const std::vector<tokenizer::TokenId>* row : rows) {
    std::copy_n(row->begin(),
                std::min<std::int64_t>(length, static_cast<std::int64_t>(row->size())), out);
    out += length;
  }
  return ids;
}

at::Tensor CountPositions(std::int64_t rows, std::int64_t length) {
  return at::arange(length, at::kLong).unsqueeze(0).expand({rows, length});
}

at::Tensor IndexTensor(std::span<const std::int64_t> values) {
  return at::tensor(at::ArrayRef<std::int64_t>(values.data(), values.size()), at::kLong);
}

}  // namespace emend::worker::edit
