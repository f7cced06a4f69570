#include "worker/eval/generate.h"

#include <ATen/ATen.h>
#include <c10/core/GradMode.h>

#include <algorithm>

#include "worker/model/guard.h"

namespace emend::worker::eval {
namespace {

using tokenizer::TokenId;

Status CheckPrompt(const model::ModelConfig& config, std::span<const TokenId> prompt, const GenerateOptions& options) {
  const auto refused = [](const char* slug, const std::string& message) {
    return Status(StatusCode::kInvalidArgument, slug, "generating behind a prompt: " + message);
  };
  if (options.max_tokens < 0 || options.top < 0) return refused("bad_option", "expected max_tokens and top of at least 0");
  if (prompt.empty()) return refused("empty_prompt", "the prompt has no token, expected at least one");
  if (static_cast<std::int64_t>(prompt.size()) > config.context) {
    return refused("prompt_too_long",
                   "it has " + std::to_string(prompt.size()) + " tokens, and the model's context has " + std::to_string(config.context) + "; shorten it");
  }
  const bool known = std::all_of(prompt.begin(), prompt.end(), [&](TokenId token) { return token >= 0 && token < config.vocabulary; });
  if (!known) return refused("unknown_token", "a token is outside the model's vocabulary of " + std::to_string(config.vocabulary));
  return OkStatus();
}

// One text under way: what was run so far lives in `past_`.
class Decoding {
 public:
  explicit Decoding(const model::Transformer& model) : model_(model), past_(static_cast<std::size_t>(model.config().layers)) {}

  // Runs these tokens behind what was run before; logits [vocabulary] behind the last one, on the CPU.
  at::Tensor Run(std::span<const TokenId> tokens) {
    const auto count = static_cast<std::int64_t>(tokens.size());
    const at::Device device = model_.DownWeight(LayerIndex(0)).device();
    at::Tensor ids = at::empty({1, count}, at::kLong);
    std::copy(tokens.begin(), tokens.end(), ids.mutable_data_ptr<std::int64_t>());
    const at::Tensor positions = at::arange(done_, done_ + count, at::kLong).unsqueeze(0).to(device);
    at::Tensor hidden = model_.Embed(ids.to(device), positions);
    for (std::size_t layer = 0; layer < past_.size(); ++layer) {
      const LayerIndex index(static_cast<std::int32_t>(layer));
      const model::PastKeyValues* past = done_ == 0 ? nullptr : &past_[layer];
      const model::BlockHalf half = model_.Attend(index, {.hidden = hidden, .positions = positions, .mask = {}, .past = past});
      past_[layer] = half.present;
      hidden = model_.Finish(index, half);
    }
    done_ += count;
    return model_.Logits(model_.FinalNorm(hidden.select(1, count - 1))).squeeze(0).cpu();
  }
  std::int64_t done() const { return done_; }

 private:
  const model::Transformer& model_;
  std::vector<model::PastKeyValues> past_;
  std::int64_t done_ = 0;
};

std::vector<TopToken> TopOf(const at::Tensor& logits, std::int64_t count) {
  const at::Tensor probabilities = at::softmax(logits, -1, at::kDouble);
  const auto [values, ids] = at::sort(probabilities, /*stable=*/true, /*dim=*/0, /*descending=*/true);
  std::vector<TopToken> top;
  for (std::int64_t i = 0; i < std::min(count, ids.size(0)); ++i) {
    top.push_back({.id = static_cast<TokenId>(ids.const_data_ptr<std::int64_t>()[i]), .text = {}, .probability = values.const_data_ptr<double>()[i]});
  }
  return top;
}

Result<Generation> Decode(const model::Transformer& model, std::span<const TokenId> prompt, const GenerateOptions& options) {
  const c10::AutoGradMode no_grad(false);
  Decoding decoding(model);
  at::Tensor logits = decoding.Run(prompt);
  Generation generation;
  generation.top = TopOf(logits, options.top);
  while (static_cast<std::int64_t>(generation.tokens.size()) < options.max_tokens) {
    const auto token = static_cast<TokenId>(at::argmax(logits).item<std::int64_t>());
    if (token == model.config().eos_token) {
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
    logits = decoding.Run(std::span(&token, 1));
  }
  return generation;
}

}  // namespace

Result<Generation> GenerateTokens(const model::Transformer& model, std::span<const TokenId> prompt, const GenerateOptions& options) {
  EMEND_RETURN_IF_ERROR(CheckPrompt(model.config(), prompt, options));
  return model::Guarded("generating behind a prompt of " + std::to_string(prompt.size()) + " tokens", [&] { return Decode(model, prompt, options); });
}

Result<Generation> Generate(const model::Transformer& model, const tokenizer::Tokenizer& tokenizer, std::string_view prompt, const GenerateOptions& options) {
  EMEND_ASSIGN_OR_RETURN(const std::vector<tokenizer::Token> tokens, tokenizer.Encode(prompt, tokenizer::SpecialTokens::kWithTemplate));
  std::vector<TokenId> ids;
  for (const tokenizer::Token& token : tokens) ids.push_back(token.id);
  EMEND_ASSIGN_OR_RETURN(Generation generation, GenerateTokens(model, ids, options));
  generation.text = tokenizer.Decode(generation.tokens);
  for (TopToken& top : generation.top) top.text = tokenizer.TokenText(top.id);
  return generation;
}

}  // namespace emend::worker::eval
