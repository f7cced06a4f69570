// One prompt with its answer, in tokens: one that a model gives, or a text that is given; and how
// likely a model finds it.
//
//   EMEND_ASSIGN_OR_RETURN(const PromptAnswer said, AnswerGreedily(model, tokenizer, prompt, 8));
//   EMEND_ASSIGN_OR_RETURN(const double before, LogProbability(other_model, said));
//
// Thread-safe; blocks on compute. Over several ranks all make the same calls.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "storage/base/status.h"
#include "worker/model/transformer.h"
#include "worker/tokenizer/tokenizer.h"

namespace emend::worker::eval {

struct PromptAnswer {
  std::vector<tokenizer::TokenId> prompt;  // at least one token
  std::vector<tokenizer::TokenId> answer;  // at least one token
  std::string text;                        // of the answer, as it stands behind the prompt
};

// The likeliest tokens behind the prompt: `tokens_max` (at least 1), fewer up to the end of text or
// of the context. kInvalidArgument: "empty_prompt", "unknown_token", "prompt_too_long", and
// "empty_answer" where the model ends the text at once.
Result<PromptAnswer> AnswerGreedily(const model::Transformer& model,
                                    const tokenizer::Tokenizer& tokenizer, std::string_view prompt,
                                    std::int64_t tokens_max);
// This answer, joined to the prompt as a fact's target is. Errors as RequestTable::Add.
Result<PromptAnswer> GivenAnswer(const model::Transformer& model,
                                 const tokenizer::Tokenizer& tokenizer, std::string_view prompt,
                                 std::string_view answer);

// The natural logarithm of the probability of the whole answer behind the prompt.
Result<double> LogProbability(const model::Transformer& model, const PromptAnswer& said);

}  // namespace emend::worker::eval
