// TokenSampler: the next token of one row, from its logits. Internal to worker/eval.
//
//   TokenSampler sampler({.temperature = 0.8, .top_p = 0.95, .seed = 7});
//   EMEND_ASSIGN_OR_RETURN(TokenId token, sampler.Draw(logits));
//
// Each row has a sampler, and each sampler a random stream of its own, of which a token takes one
// number: what else runs changes nothing. Owned by one thread.
#pragma once

#include <cstdint>
#include <random>
#include <span>
#include <vector>

#include "storage/base/status.h"
#include "worker/eval/completion.h"
#include "worker/tokenizer/tokenizer.h"

namespace emend::worker::eval {

class TokenSampler {
 public:
  // kInvalidArgument ("bad_option").
  static Status Check(const SamplingOptions& options);
  // REQUIRES: Check(options) is ok.
  explicit TokenSampler(const SamplingOptions& options)
      : options_(options), engine_(options.seed) {}

  // `logits` are the whole vocabulary's. kInternal ("non_finite_logits").
  Result<tokenizer::TokenId> Draw(std::span<const float> logits);

 private:
  const SamplingOptions options_;
  std::mt19937_64 engine_;
};

// kInternal ("non_finite_logits").
Status CheckFinite(std::span<const float> logits);

// How likely `token` is, and beside it the `count` likeliest ones; without their texts. REQUIRES:
// finite logits.
TokenLogprob LogprobOf(std::span<const float> logits, tokenizer::TokenId token, std::int64_t count);

}  // namespace emend::worker::eval
