// What the last block leaves of some tokens of a batch. Internal to worker/eval.
#pragma once

#include <ATen/core/Tensor.h>

#include <span>

#include "worker/eval/row.h"
#include "worker/model/transformer.h"

namespace emend::worker::eval {

// The final hidden state, normed, of each wanted token of the batch, [places, d]. `places` index
// the batch's tokens row by row.
at::Tensor HiddenAt(const model::Transformer& model, const RowBatch& batch,
                    const at::Tensor& places);

// Rows where the model computes, and places in them.
struct BatchOnDevice {
  RowBatch rows;
  at::Tensor places;
};
BatchOnDevice OnDevice(const model::Transformer& model, std::span<const Row> rows,
                       std::span<const std::int64_t> places);
// The last token of each row.
BatchOnDevice LastTokens(const model::Transformer& model, std::span<const Row> rows);

}  // namespace emend::worker::eval
