#include "worker/eval/prompt.h"

#include <algorithm>
#include <cstdint>

namespace emend::worker::eval {

using tokenizer::TokenId;

Status PromptRefused(const char* slug, const std::string& message) {
  return {StatusCode::kInvalidArgument, slug, "generating behind a prompt: " + message};
}

Status CheckPrompt(const families::ModelConfig& config, std::span<const TokenId> prompt) {
  if (prompt.empty())
    return PromptRefused("empty_prompt", "the prompt has no token, expected at least one");
  if (static_cast<std::int64_t>(prompt.size()) > config.context) {
    return PromptRefused("prompt_too_long", "it has " + std::to_string(prompt.size()) +
                                                " tokens, and the model's context has " +
                                                std::to_string(config.context) + "; shorten it");
  }
  const bool known = std::ranges::all_of(
      prompt, [&](TokenId token) { return token >= 0 && token < config.vocabulary; });
  if (!known)
    return PromptRefused("unknown_token", "a token is outside the model's vocabulary of " +
                                              std::to_string(config.vocabulary));
  return OkStatus();
}

}  // namespace emend::worker::eval
