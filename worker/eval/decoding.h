// Texts under way: a batch that grows by one token a step, over the keys and values of what came
// before. Internal to worker/eval.
//
//   Decoding decoding(model, /*tokens_max=*/64);
//   at::Tensor logits = decoding.Run(RowOf(prompt));          // [1, vocabulary]
//   logits = decoding.Run(next);                              // next [1, 1]
//
// All rows have the same number of tokens: nothing is padded, nothing is masked but the future.
// Throws what libtorch throws; owned by one thread.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <span>
#include <vector>

#include "worker/model/key_value_cache.h"
#include "worker/model/transformer.h"
#include "worker/tokenizer/tokenizer.h"

namespace emend::worker::eval {

// [1, tokens] int64.
at::Tensor RowOf(std::span<const tokenizer::TokenId> tokens);

// Tokens of a pass that one view of a model runs.
struct PassPart {
  const model::Transformer* model = nullptr;
  std::int64_t tokens = 0;
};

// Runs `ids` [1, tokens of all parts] int64 through views of one model, which share everything but
// down projections; each layer whose projections are the same tensor is run as one. What the last
// block leaves: [1, tokens, d], before the final norm.
at::Tensor RunBlocks(std::span<const PassPart> parts, const model::CachedBatch& batch,
                     const at::Tensor& ids);

class Decoding {
 public:
  // Of one row, and at most `tokens_max` tokens in it, or as many as the context has.
  Decoding(const model::Transformer& model, std::int64_t tokens_max);

  // Runs these tokens [rows, tokens] int64 behind what was run before; logits [rows, vocabulary]
  // behind the last ones, on the CPU.
  at::Tensor Run(const at::Tensor& ids);
  // From now on this many rows, which begin alike. REQUIRES: one row was run.
  void Repeat(std::int64_t rows);
  // Tokens of each row that were run.
  std::int64_t done() const { return done_; }

 private:
  const model::Transformer& model_;
  const std::int64_t tokens_max_;
  model::KeyValueCache cache_;
  std::int64_t rows_ = 1;
  std::int64_t done_ = 0;
};

}  // namespace emend::worker::eval
