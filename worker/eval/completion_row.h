// CompletionRow: one completion under way, from its prompt to its end. Internal to worker/eval.
//
//   CompletionRow row(request, listener, model.config(), tokenizer);
//   // run them behind the row.done() tokens that were
//   std::span<const TokenId> tokens = row.Left().first(1);
//   row.Ran(1);
//   // behind each of them that it wants(): tells of the prompt's next token, or draws one
//   row.Take(logits);
//
// Prompt and drawn tokens are one text of which `done` tokens were run; the last one drawn is left
// to be run. Of an echoed prompt `told_` tokens were told of, one more than were run. The listener
// hears one end, and nothing behind it. Owned by one thread.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "storage/base/status.h"
#include "worker/eval/completion.h"
#include "worker/eval/completion_text.h"
#include "worker/eval/token_sampler.h"
#include "worker/families/model_config.h"
#include "worker/tokenizer/tokenizer.h"

namespace emend::worker::eval {

// As CheckPrompt, and kInvalidArgument ("bad_option") for what else is out of its bounds.
Status CheckRequest(const families::ModelConfig& config, const CompletionRequest& request);

class CompletionRow {
 public:
  // `config` and `tokenizer` must outlive it. REQUIRES: CheckRequest is ok.
  CompletionRow(CompletionRequest request, CompletionListener listener,
                const families::ModelConfig& config, const tokenizer::Tokenizer& tokenizer);

  const StateId& state() const { return request_.state; }
  bool cancelled() const { return listener_.cancelled != nullptr && listener_.cancelled->load(); }
  bool ended() const { return ended_; }
  // Tokens that will have been run at the most.
  std::int64_t tokens_max() const;
  std::int64_t done() const { return done_; }
  std::span<const tokenizer::TokenId> Left() const {
    return std::span(tokens_).subspan(static_cast<std::size_t>(done_));
  }

  // Whether it tells of its prompt's tokens, and has not told of all.
  bool echoes() const { return told_ < prompt_tokens_; }
  // Behind how many of the next `tokens`, the last ones of them, logits are wanted.
  std::int64_t Wants(std::int64_t tokens) const;
  void Ran(std::int64_t tokens) { done_ += tokens; }
  // `logits` are those behind the next token that they are wanted of, in order.
  void Take(std::span<const float> logits);
  // Ends it with this status, unless it has ended.
  void End(const Status& status);

 private:
  std::int64_t drawn() const { return static_cast<std::int64_t>(tokens_.size()) - prompt_tokens_; }
  void Echo(std::optional<TokenLogprob> logprob);
  void Draw(std::span<const float> logits);
  void Tell();
  void Finish(FinishReason reason);

  const CompletionRequest request_;  // its prompt is in tokens_
  const CompletionListener listener_;
  const families::ModelConfig& config_;
  const std::int64_t prompt_tokens_;
  std::vector<tokenizer::TokenId> tokens_;
  std::int64_t done_ = 0;
  std::int64_t told_ = 0;  // of the prompt
  TokenSampler sampler_;
  CompletionText text_;
  bool ended_ = false;
};

}  // namespace emend::worker::eval
