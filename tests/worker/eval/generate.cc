#include "tests/worker/eval/generate.h"

#include <ATen/ATen.h>
#include <c10/core/GradMode.h>

#include <algorithm>

#include "worker/eval/decoding.h"
#include "worker/eval/prompt.h"
#include "worker/model/guard.h"

namespace emend::worker::eval {
namespace {

using tokenizer::TokenId;

Status Check(const families::ModelConfig& config, std::span<const TokenId> prompt,
             const GenerateOptions& options) {
  if (options.max_tokens < 0 || options.top < 0)
    return PromptRefused("bad_option", "expected max_tokens and top of at least 0");
  return CheckPrompt(config, prompt);
}

std::vector<TopToken> TopOf(const at::Tensor& logits, std::int64_t count) {
  const at::Tensor probabilities = at::softmax(logits, -1, at::kDouble);
  const auto [values, ids] =
      at::sort(probabilities, /*stable=*/true, /*dim=*/0, /*descending=*/true);
  std::vector<TopToken> top;
  for (std::int64_t i = 0; i < std::min(count, ids.size(0)); ++i) {
    top.push_back({.id = static_cast<TokenId>(ids.const_data_ptr<std::int64_t>()[i]),
                   .text = {},
                   .probability = values.const_data_ptr<double>()[i]});
  }
  return top;
}

Result<Generation> Decode(const model::Transformer& model, std::span<const TokenId> prompt,
                          const GenerateOptions& options) {
  const c10::AutoGradMode no_grad(false);
  Decoding decoding(model, static_cast<std::int64_t>(prompt.size()) + options.max_tokens);
  at::Tensor logits = decoding.Run(RowOf(prompt)).squeeze(0);
  Generation generation;
  generation.top = TopOf(logits, options.top);
  while (static_cast<std::int64_t>(generation.tokens.size()) < options.max_tokens) {
    const auto token = static_cast<TokenId>(at::argmax(logits).item<std::int64_t>());
    if (model.config().Ends(token)) {
      generation.stop = StopReason::kEndOfText;
      return generation;
    }
    generation.tokens.push_back(token);
    const auto count = static_cast<std::int64_t>(generation.tokens.size());
    if (options.progress) EMEND_RETURN_IF_ERROR(options.progress(count, options.max_tokens));
    if (count == options.max_tokens) break;
    if (decoding.done() == model.config().context) {
      generation.stop = StopReason::kContextEnd;
      return generation;
    }
    logits = decoding.Run(RowOf(std::span(&token, 1))).squeeze(0);
  }
  return generation;
}

}  // namespace

Result<Generation> GenerateTokens(const model::Transformer& model, std::span<const TokenId> prompt,
                                  const GenerateOptions& options) {
  EMEND_RETURN_IF_ERROR(Check(model.config(), prompt, options));
  return model::Guarded(
      "generating behind a prompt of " + std::to_string(prompt.size()) + " tokens",
      [&] { return Decode(model, prompt, options); });
}

Result<Generation> Generate(const model::Transformer& model, const tokenizer::Tokenizer& tokenizer,
                            std::string_view prompt, const GenerateOptions& options) {
  EMEND_ASSIGN_OR_RETURN(const std::vector<tokenizer::Token> tokens,
                         tokenizer.Encode(prompt, tokenizer::SpecialTokens::kWithTemplate));
  std::vector<TokenId> ids;
  for (const tokenizer::Token& token : tokens) ids.push_back(token.id);
  EMEND_ASSIGN_OR_RETURN(Generation generation, GenerateTokens(model, ids, options));
  generation.text = tokenizer.Decode(generation.tokens);
  for (TopToken& top : generation.top) top.text = tokenizer.TokenText(top.id);
  return generation;
}

}  // namespace emend::worker::eval
