// Which prompts a model can go on from. Internal to worker/eval.
#pragma once

#include <span>
#include <string>

#include "storage/base/status.h"
#include "worker/families/model_config.h"
#include "worker/tokenizer/tokenizer.h"

namespace emend::worker::eval {

// kInvalidArgument.
Status PromptRefused(const char* slug, const std::string& message);

// kInvalidArgument: no token ("empty_prompt"), a token outside the vocabulary ("unknown_token"),
// more tokens than the context has positions ("prompt_too_long").
Status CheckPrompt(const families::ModelConfig& config, std::span<const tokenizer::TokenId> prompt);

}  // namespace emend::worker::eval
