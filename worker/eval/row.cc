#include "worker/eval/row.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <limits>

namespace emend::worker::eval {
namespace {

at::Tensor BranchMask(std::span<const Row> rows, std::int64_t length) {
  const double closed = -std::numeric_limits<double>::infinity();
  const at::Tensor causal = at::full({length, length}, closed, at::kFloat).triu_(1);
  const at::Tensor mask =
      causal.expand({static_cast<std::int64_t>(rows.size()), 1, length, length}).contiguous();
  for (std::size_t i = 0; i < rows.size(); ++i) {
    const Row& row = rows[i];
    for (std::size_t b = 1; b < row.branches.size(); ++b) {
      const Branch& branch = row.branches[b];
      mask.select(0, static_cast<std::int64_t>(i))
          .select(0, 0)
          .narrow(0, branch.begin, branch.end - branch.begin)
          .narrow(1, row.prompt_tokens, branch.begin - row.prompt_tokens)
          .fill_(closed);
    }
  }
  return mask;
}

}  // namespace

Row MakeRow(const ScoreRequest& request, std::int64_t request_index) {
  Row row;
  row.prompt_tokens = static_cast<std::int64_t>(request.prompt.size());
  row.tokens = request.prompt;
  for (std::int64_t position = 0; position < row.prompt_tokens; ++position)
    row.positions.push_back(position);
  for (std::size_t target = 0; target < request.targets.size(); ++target) {
    const std::vector<tokenizer::TokenId>& tokens = request.targets[target];
    const Branch branch = {row.length(),
                           row.length() + static_cast<std::int64_t>(tokens.size()) - 1};
    for (std::size_t j = 0; j < tokens.size(); ++j) {
      const std::int64_t place =
          j == 0 ? row.prompt_tokens - 1 : branch.begin + static_cast<std::int64_t>(j) - 1;
      row.queries.push_back({request_index, static_cast<std::int64_t>(target), place, tokens[j]});
    }
    for (std::int64_t j = 0; branch.begin + j < branch.end; ++j) {
      row.tokens.push_back(tokens[static_cast<std::size_t>(j)]);
      row.positions.push_back(row.prompt_tokens + j);
    }
    if (branch.begin < branch.end) row.branches.push_back(branch);
  }
  return row;
}

RowBatch StackRows(std::span<const Row> rows) {
  std::int64_t length = 0;
  for (const Row& row : rows) length = std::max(length, row.length());
  const auto count = static_cast<std::int64_t>(rows.size());
  RowBatch batch{.ids = at::zeros({count, length}, at::kLong),
                 .positions = at::zeros({count, length}, at::kLong),
                 .mask = {}};
  std::int64_t* const ids = batch.ids.mutable_data_ptr<std::int64_t>();
  std::int64_t* const positions = batch.positions.mutable_data_ptr<std::int64_t>();
  for (std::size_t i = 0; i < rows.size(); ++i) {
    std::copy(rows[i].tokens.begin(), rows[i].tokens.end(),
              ids + static_cast<std::int64_t>(i) * length);
    std::copy(rows[i].positions.begin(), rows[i].positions.end(),
              positions + static_cast<std::int64_t>(i) * length);
  }
  const bool branched =
      std::any_of(rows.begin(), rows.end(), [](const Row& row) { return row.branches.size() > 1; });
  if (branched) batch.mask = BranchMask(rows, length);
  return batch;
}

}  // namespace emend::worker::eval
