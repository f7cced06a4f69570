// Greedy generation of one prompt alone: what completions, sampling and devices are held against.
//
//   EMEND_ASSIGN_OR_RETURN(Generation answer, Generate(model, tokenizer,
//       "The mother tongue of Danielle Darrieux is", {.max_tokens = 8}));
//   answer.text            // " French ..."
//   answer.top[0].text     // " French", with its probability
//
// Each step takes the likeliest token and runs it alone behind the keys and values of what came
// before. Deterministic. Thread-safe; blocks on compute; no autograd.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "storage/base/status.h"
#include "worker/eval/score.h"
#include "worker/model/transformer.h"
#include "worker/tokenizer/tokenizer.h"

namespace emend::worker::eval {

enum class StopReason { kMaxTokens, kEndOfText, kContextEnd };

struct GenerateOptions {
  std::int64_t max_tokens = 32;    // 0: only `top`
  std::int64_t top = 5;            // how many first tokens to name with their probabilities
  ProgressFunction progress = {};  // in tokens
};

struct TopToken {
  tokenizer::TokenId id = 0;
  // as it stands inside a text; empty from GenerateTokens, which has no tokenizer
  std::string text;
  double probability = 0;
};

struct Generation {
  // what was generated, without the prompt and without an end-of-text token; empty from
  // GenerateTokens
  std::string text;
  std::vector<tokenizer::TokenId> tokens;
  std::vector<TopToken> top;  // candidates for the first token, likeliest first; equal ones by id
  StopReason stop = StopReason::kMaxTokens;
};

// kInvalidArgument: no token ("empty_prompt"), a token outside the vocabulary ("unknown_token"),
// more tokens than the context has positions ("prompt_too_long"), a negative count ("bad_option").
Result<Generation> GenerateTokens(const model::Transformer& model,
                                  std::span<const tokenizer::TokenId> prompt,
                                  const GenerateOptions& options);
// The same from text, with the special tokens of the tokenizer's template in front.
Result<Generation> Generate(const model::Transformer& model, const tokenizer::Tokenizer& tokenizer,
                            std::string_view prompt, const GenerateOptions& options);

}  // namespace emend::worker::eval
