// Texts under way: a batch that grows by one token a step, over the keys and values of what came before. Internal to worker/eval.
//
//   Decoding decoding(model);
//   at::Tensor logits = decoding.Run(RowOf(prompt));          // [1, vocabulary]
//   logits = decoding.Run(next);                              // next [1, 1]
//
// All rows have the same number of tokens: nothing is padded, nothing is masked but the future. Throws what libtorch throws; owned by one thread.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <span>
#include <vector>

#include "worker/model/transformer.h"
#include "worker/tokenizer/tokenizer.h"

namespace emend::worker::eval {

// [1, tokens] int64.
at::Tensor RowOf(std::span<const tokenizer::TokenId> tokens);

class Decoding {
 public:
  explicit Decoding(const model::Transformer& model) : model_(model), past_(static_cast<std::size_t>(model.config().layers)) {}

  // Runs these tokens [rows, tokens] int64 behind what was run before; logits [rows, vocabulary] behind the last ones, on the CPU.
  at::Tensor Run(const at::Tensor& ids);
  // From now on this many rows, which begin alike. REQUIRES: one row was run.
  void Repeat(std::int64_t rows);
  // Tokens of each row that were run.
  std::int64_t done() const { return done_; }

 private:
  const model::Transformer& model_;
  std::vector<model::PastKeyValues> past_;
  std::int64_t done_ = 0;
};

}  // namespace emend::worker::eval
