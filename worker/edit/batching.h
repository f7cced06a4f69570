// Rows of tokens grouped by length, so that padding costs little. Internal to worker/edit.
//
// Padding goes to the right: under causal attention a row's own tokens never see it, so no mask is
// needed, and its outputs are simply not read.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <span>
#include <vector>

#include "worker/tokenizer/tokenizer.h"

namespace emend::worker::edit {

struct RowGroup {
  std::vector<std::int64_t> rows;  // indices into what was grouped
  std::int64_t length = 0;         // of the longest
};

// Every row in one group; a group's shortest row has at least seven eighths of its longest's
// length, and rows · length is at most `tokens_max` (or one row). Longest first; ties in the order
// given.
std::vector<RowGroup> GroupByLength(std::span<const std::int64_t> lengths, std::int64_t tokens_max);

// [rows, length] int64 of the first `length` tokens of each row, zeros where a row is shorter.
at::Tensor PadTokens(std::span<const std::vector<tokenizer::TokenId>* const> rows,
                     std::int64_t length);

// [rows, length] int64: 0, 1, 2, ... in every row.
at::Tensor CountPositions(std::int64_t rows, std::int64_t length);

// int64 on the CPU.
at::Tensor IndexTensor(std::span<const std::int64_t> values);

}  // namespace emend::worker::edit
