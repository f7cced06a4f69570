// TargetBucket: rows of one shape, held ready for optimising δ. Internal to worker/edit.
//
// Below and at the last edited layer L nothing depends on δ, so those layers run once. Above it the
// tokens strictly before the lookup token do not depend on δ either: their keys and values are
// kept, and a step runs only the tokens from the lookup token on, with logits only where a loss is
// taken. All rows of a bucket have the same number of those tokens and of target tokens, so that
// nothing is padded there; the kept prefixes are padded and masked. Used by one thread at a time;
// borrows the model and, while it is built, the rows.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <span>
#include <vector>

#include "worker/edit/prompts.h"
#include "worker/model/transformer.h"
#include "worker/protocol/solve_settings.h"

namespace emend::worker::edit {

enum class Gradient : std::uint8_t { kSkip, kCompute };

struct BucketStep {
  at::Tensor losses;     // [rows] fp32: each row's share of its fact's loss
  at::Tensor gradients;  // [rows, d] fp32: of losses by δ; undefined if skipped
};

class TargetBucket {
 public:
  // Runs the layers that are constant. `rows` have the same kind of loss, suffix() and target
  // count; their facts count from `first_fact`.
  TargetBucket(const model::Transformer& model, const protocol::SolveSettings& settings,
               std::span<const PromptRow* const> rows, std::int64_t first_fact);

  // `deltas` [facts, d] fp32.
  BucketStep Step(const at::Tensor& deltas, Gradient gradient);
  // Drops the rows of facts that are not active; bool [facts], on the CPU.
  void Keep(const at::Tensor& active);

  bool empty() const { return facts_.size(0) == 0; }
  const at::Tensor& facts() const { return facts_; }  // int64 [rows], on the CPU
  // Sets the rows of `initial` [facts, d] whose bare prompt is in this bucket to what is optimised,
  // at its lookup token: the output of layer L, z0; or, where the layer norms what its down
  // projection puts out, that, before the norm, and the rows of `residuals` to what the normed
  // output is added to.
  void CopyInitial(at::Tensor& initial, at::Tensor& residuals) const;

 private:
  void RunConstantLayers(std::span<const PromptRow* const> rows);
  void BuildMask(const at::Tensor& lookups);
  void BuildTerms(std::span<const PromptRow* const> rows);
  at::Tensor LossHidden(const at::Tensor& deltas) const;

  const model::Transformer& model_;
  const std::int32_t last_edited_;
  const double kl_factor_;
  const double token_weight_;  // of one target token's loss
  const std::int64_t suffix_tokens_;
  const std::int64_t loss_tokens_;  // the last tokens of each row, where losses are taken
  const bool is_drift_;

  at::Tensor facts_;
  at::Tensor bare_;                          // bool [rows]: the rows of kind kBare
  at::Tensor suffix_;                        // [rows, suffix, d]: after layer L
  at::Tensor residual_, output_;             // [rows, 1, d]: as in CopyInitial, or undefined
  at::Tensor positions_;                     // [rows, suffix]
  at::Tensor mask_;                          // [rows, 1, suffix, prefix + suffix]
  std::vector<model::PastKeyValues> pasts_;  // a layer above L; empty if no row has a prefix
  at::Tensor target_ids_;                    // [rows, loss tokens]
  // [rows, vocabulary]: log-probabilities at the first step of a drift bucket
  at::Tensor initial_;
};

}  // namespace emend::worker::edit
