#include "worker/eval/completion_row.h"

#include <algorithm>
#include <optional>
#include <string>
#include <utility>

#include "storage/base/utf8.h"
#include "worker/eval/prompt.h"

namespace emend::worker::eval {
namespace {

using tokenizer::TokenId;

// So that a piece of a long prompt is a message of moderate length.
constexpr std::int64_t kEchoedPerPiece = 256;

Status CheckStops(const std::vector<std::string>& stops) {
  if (stops.size() > CompletionRequest::kStopsMax) {
    return PromptRefused("bad_option", std::to_string(stops.size()) + " stop strings, at most " +
                                           std::to_string(CompletionRequest::kStopsMax));
  }
  for (const std::string& stop : stops) {
    if (stop.empty() || stop.size() > CompletionRequest::kStopBytesMax || FirstInvalidUtf8(stop)) {
      return PromptRefused("bad_option", "a stop string of " + std::to_string(stop.size()) +
                                             " bytes: expected UTF-8 of 1 to " +
                                             std::to_string(CompletionRequest::kStopBytesMax) +
                                             " bytes");
    }
  }
  return OkStatus();
}

}  // namespace

Status CheckRequest(const families::ModelConfig& config, const CompletionRequest& request) {
  EMEND_RETURN_IF_ERROR(CheckPrompt(config, request.prompt));
  if (request.tokens_max < 0)
    return PromptRefused("bad_option", "tokens_max is " + std::to_string(request.tokens_max) +
                                           ", expected at least 0");
  if (request.logprobs &&
      (*request.logprobs < 0 || *request.logprobs > CompletionRequest::kLogprobsMax)) {
    return PromptRefused("bad_option", "logprobs is " + std::to_string(*request.logprobs) +
                                           ", expected 0 to " +
                                           std::to_string(CompletionRequest::kLogprobsMax));
  }
  EMEND_RETURN_IF_ERROR(CheckStops(request.stop));
  return TokenSampler::Check(request.sampling);
}

CompletionRow::CompletionRow(CompletionRequest request, CompletionListener listener,
                             const families::ModelConfig& config,
                             const tokenizer::Tokenizer& tokenizer)
    : request_(std::move(request)),
      listener_(std::move(listener)),
      config_(config),
      prompt_tokens_(static_cast<std::int64_t>(request_.prompt.size())),
      tokens_(request_.prompt),
      sampler_(request_.sampling),
      text_(tokenizer, request_.echo ? std::span<const TokenId>() : request_.prompt,
            request_.stop) {
  if (!request_.echo) told_ = prompt_tokens_;
  if (echoes() && request_.logprobs)
    Echo(TokenLogprob{
        .token = {.id = tokens_[0], .text = {}}, .text_begin = 0, .top = {}, .is_first = true});
  while (echoes() && !request_.logprobs) Echo({});
}

// The last token drawn is not run.
std::int64_t CompletionRow::tokens_max() const {
  return std::min(
      config_.context,
      prompt_tokens_ - 1 + std::clamp(request_.tokens_max, std::int64_t{1}, config_.context));
}

std::int64_t CompletionRow::Wants(std::int64_t tokens) const {
  if (echoes()) return tokens;
  return tokens == static_cast<std::int64_t>(Left().size()) ? 1 : 0;
}

void CompletionRow::Take(std::span<const float> logits) {
  if (ended_) return;
  if (!echoes()) return Draw(logits);
  const Status finite = CheckFinite(logits);
  if (!finite.ok()) return End(finite);
  Echo(LogprobOf(logits, tokens_[static_cast<std::size_t>(told_)], *request_.logprobs));
  if (told_ % kEchoedPerPiece == 0) Tell();
}

void CompletionRow::Echo(std::optional<TokenLogprob> logprob) {
  text_.Echo(tokens_[static_cast<std::size_t>(told_++)], std::move(logprob));
}

void CompletionRow::Draw(std::span<const float> logits) {
  if (request_.tokens_max == 0) return Finish(FinishReason::kLength);
  const Result<TokenId> token = sampler_.Draw(logits);
  if (!token.ok()) return End(token.status());
  std::optional<TokenLogprob> logprob;
  if (request_.logprobs) logprob = LogprobOf(logits, *token, *request_.logprobs);
  if (config_.Ends(*token)) {
    // A text that ends before it began has no token to tell of: what was likely there is told of
    // the end.
    if (drawn() == 0 && logprob) text_.End(std::move(*logprob));
    return Finish(FinishReason::kStop);
  }
  tokens_.push_back(*token);
  text_.Add(*token, std::move(logprob));
  if (text_.stopped()) return Finish(FinishReason::kStop);
  if (drawn() == request_.tokens_max || done_ == config_.context)
    return Finish(FinishReason::kLength);
  Tell();
}

void CompletionRow::End(const Status& status) {
  if (ended_) return;
  ended_ = true;
  listener_.on_end(status);
}

void CompletionRow::Tell() {
  CompletionPiece piece = text_.Take();
  if (!piece.text.empty() || !piece.tokens.empty()) listener_.on_piece(std::move(piece));
}

void CompletionRow::Finish(FinishReason reason) {
  text_.Finish();
  Tell();
  ended_ = true;
  listener_.on_end(CompletionEnd{
      .reason = reason, .prompt_tokens = prompt_tokens_, .completion_tokens = drawn()});
}

}  // namespace emend::worker::eval
