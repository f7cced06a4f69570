#include "worker/eval/sample.h"

#include <ATen/ATen.h>
#include <c10/core/GradMode.h>

#include <algorithm>
#include <random>

#include "storage/base/utf8.h"
#include "worker/eval/decoding.h"
#include "worker/model/guard.h"

namespace emend::worker::eval {
namespace {

using tokenizer::TokenId;

constexpr std::int64_t kCacheBytesMax = std::int64_t{1} << 30;

Result<std::vector<TokenId>> StartTokens(const families::ModelConfig& config,
                                         const tokenizer::Tokenizer& tokenizer,
                                         std::string_view prefix) {
  EMEND_ASSIGN_OR_RETURN(const std::vector<tokenizer::Token> tokens,
                         tokenizer.Encode(prefix, tokenizer::SpecialTokens::kWithTemplate));
  std::vector<TokenId> ids;
  for (const tokenizer::Token& token : tokens) ids.push_back(token.id);
  TokenId start = config.bos_token;
  if (start < 0 && !config.eos_tokens.empty()) start = config.eos_tokens.front();
  if (ids.empty() && start >= 0) ids.push_back(start);
  const auto refused = [&](const char* slug, const std::string& message) {
    return Status(StatusCode::kInvalidArgument, slug,
                  "sampling texts that begin with \"" + std::string(prefix) + "\": " + message);
  };
  if (ids.empty())
    return refused("empty_prompt",
                   "the model names neither a beginning-of-text nor an end-of-text token to begin "
                   "with; give it a text");
  if (ids.front() >= config.vocabulary)
    return refused("unknown_token", "the token with the id " + std::to_string(ids.front()) +
                                        " that texts begin with has no row in the model's "
                                        "embedding of " +
                                        std::to_string(config.vocabulary) + "; give it a text");
  if (static_cast<std::int64_t>(ids.size()) >= config.context) {
    return refused("prompt_too_long", "it has " + std::to_string(ids.size()) +
                                          " tokens, and the context of " +
                                          std::to_string(config.context) + " leaves none");
  }
  return ids;
}

// One token a row, [rows, 1], drawn by inverting the cumulated probabilities.
at::Tensor Draw(const at::Tensor& logits, std::int64_t top_k, std::mt19937_64& engine) {
  const bool all = top_k == 0 || top_k >= logits.size(-1);
  const auto [values, indices] =
      all ? std::tuple(logits, at::Tensor()) : at::topk(logits, top_k, -1);
  const at::Tensor cumulated = at::cumsum(at::softmax(values, -1), -1, at::kDouble);
  at::Tensor uniform = at::empty({logits.size(0), 1}, at::kDouble);
  for (std::int64_t row = 0; row < logits.size(0); ++row) {
    uniform.mutable_data_ptr<double>()[row] = static_cast<double>(engine() >> 11) * 0x1p-53;
  }
  const at::Tensor rank =
      (cumulated < uniform).sum(-1, /*keepdim=*/true).clamp_max(values.size(-1) - 1);
  return all ? rank : indices.gather(-1, rank);
}

// Texts side by side whose keys and values, twice while their cache grows, stay within
// kCacheBytesMax; one at least.
std::int64_t RowsMax(const families::ModelConfig& config, std::int64_t tokens) {
  const std::int64_t token_bytes = 2 * config.layers * config.kv_heads * config.head_dim *
                                   static_cast<std::int64_t>(sizeof(float));
  return std::max<std::int64_t>(
      1, kCacheBytesMax / (2 * token_bytes * std::min(tokens, config.context)));
}

// Tokens [rows, at most max_tokens] behind the start; fewer when every row has met its end of text.
Result<at::Tensor> Decode(const model::Transformer& model, std::span<const TokenId> start,
                          std::int64_t rows, const SampleOptions& options,
                          std::mt19937_64& engine) {
  const c10::AutoGradMode no_grad(false);
  Decoding decoding(model, static_cast<std::int64_t>(start.size()) + options.max_tokens);
  at::Tensor logits = decoding.Run(RowOf(start)).expand({rows, -1});
  decoding.Repeat(rows);
  std::vector<at::Tensor> drawn;
  at::Tensor ended = at::zeros({rows, 1}, at::kBool);
  while (true) {
    drawn.push_back(Draw(logits, options.top_k, engine));
    for (const TokenId end : model.config().eos_tokens) ended.logical_or_(drawn.back() == end);
    const auto count = static_cast<std::int64_t>(drawn.size());
    if (options.progress) EMEND_RETURN_IF_ERROR(options.progress(count, options.max_tokens));
    const bool is_last = count == options.max_tokens || decoding.done() == model.config().context ||
                         ended.all().item<bool>();
    if (is_last) return at::cat(drawn, 1).contiguous();
    logits = decoding.Run(drawn.back());
  }
}

// The tokens of one row before the first end of text.
std::vector<TokenId> TokensOf(const at::Tensor& row, const families::ModelConfig& config) {
  const std::span<const std::int64_t> ids(row.const_data_ptr<std::int64_t>(),
                                          static_cast<std::size_t>(row.size(0)));
  return {ids.begin(), std::ranges::find_if(ids, [&](std::int64_t id) { return config.Ends(id); })};
}

// As it stands behind `prefix`: a decoder would take the first token for the begin of a text, and
// drop its space.
std::string TextBehind(const std::string& prefix, const tokenizer::Tokenizer& tokenizer,
                       std::span<const TokenId> ids) {
  std::string text = prefix;
  if (prefix.empty()) text = tokenizer.Decode(ids);
  for (std::size_t i = 0; !prefix.empty() && i < ids.size(); ++i)
    text += tokenizer.TokenText(ids[i]);
  // Tokens that cut a character, or that the model put together wrongly.
  while (const auto offset = FirstInvalidUtf8(text)) text.erase(*offset, 1);
  return text;
}

}  // namespace

Result<SampledTexts> SampleTexts(const model::Transformer& model,
                                 const tokenizer::Tokenizer& tokenizer, std::string_view prefix,
                                 const SampleOptions& options) {
  if (options.count < 1 || options.max_tokens < 1 || options.top_k < 0) {
    return Status(
        StatusCode::kInvalidArgument, "bad_option",
        "sampling texts: expected count and max_tokens of at least 1, top_k of at least 0");
  }
  EMEND_ASSIGN_OR_RETURN(const std::vector<TokenId> start,
                         StartTokens(model.config(), tokenizer, prefix));
  const std::int64_t rows_max =
      RowsMax(model.config(), static_cast<std::int64_t>(start.size()) + options.max_tokens);
  std::mt19937_64 engine(options.seed);
  SampledTexts sampled;
  for (std::int64_t begin = 0; begin < options.count; begin += rows_max) {
    const std::int64_t rows = std::min(rows_max, options.count - begin);
    EMEND_ASSIGN_OR_RETURN(const at::Tensor tokens, model::Guarded("sampling texts", [&] {
                             return Decode(model, start, rows, options, engine);
                           }));
    for (std::int64_t row = 0; row < rows; ++row) {
      const std::vector<TokenId> ids = TokensOf(tokens[row], model.config());
      sampled.texts.push_back(TextBehind(std::string(prefix), tokenizer, ids));
      sampled.tokens += static_cast<std::int64_t>(ids.size());
    }
  }
  return sampled;
}

}  // namespace emend::worker::eval
