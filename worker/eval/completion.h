// What is asked of a completion and what comes back, piece by piece.
//
//   CompletionRequest request{.state = state, .prompt = ids, .tokens_max = 64, .sampling = {
//       .temperature = 0}, .stop = {"\n"}};
//   CompletionListener listener{.on_piece = [&](CompletionPiece piece) { text += piece.text; },
//       .on_end = [&](Result<CompletionEnd> end) { ... }};
//
// Thread-safety: values. `cancelled` may be set from any thread.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "storage/base/ids.h"
#include "storage/base/status.h"
#include "worker/tokenizer/tokenizer.h"

namespace emend::worker::eval {

// The softmax of the logits over the temperature is cut to the `top_k` likeliest tokens, and of
// these to the fewest that together have `top_p` of the rest.
struct SamplingOptions {
  double temperature = 1;  // 0: always the likeliest token, of equal ones the first
  double top_p = 1;        // in (0, 1]
  std::int64_t top_k = 0;  // 0: the whole vocabulary
  // one seed, one text, whatever else runs, as far as the logits are the same
  std::uint64_t seed = 0;
};

struct CompletionRequest {
  static constexpr std::size_t kStopsMax = 4;
  static constexpr std::size_t kStopBytesMax = 1024;  // of each
  static constexpr std::int64_t kLogprobsMax = 100;

  StateId state;
  std::vector<tokenizer::TokenId> prompt;  // encoded, special tokens and all; at least one
  std::int64_t tokens_max = 16;            // at least 0
  SamplingOptions sampling;
  // the text ends before the one that is complete first; UTF-8, none of them empty
  std::vector<std::string> stop;
  // nothing: pieces name no tokens; else each token, and beside it so many of the likeliest
  std::optional<std::int64_t> logprobs;
  // The text begins with the prompt's own, without special tokens in front of it; no stop string is
  // looked for there. With `logprobs` its tokens are named as those drawn are.
  bool echo = false;
};

struct LikelyToken {
  tokenizer::TokenId id = 0;
  std::string text;    // its bytes as they stand inside a text; may cut a character
  double logprob = 0;  // natural, of the whole softmax at temperature 1
};

struct TokenLogprob {
  LikelyToken token;
  std::int64_t text_begin = 0;   // where its bytes begin in the completion's text
  std::vector<LikelyToken> top;  // likeliest first, equal ones by id
  bool is_first = false;         // of an echoed prompt: nothing says how likely it is
};

// The pieces of a completion one behind the other are its text. Each is whole UTF-8 characters and
// holds no byte of a stop string that ends the text.
struct CompletionPiece {
  // as it stands behind the prompt, so a leading space is kept; may be empty where only tokens are
  // to be named
  std::string text;
  // in order, each in the piece in which its text begins; only if the request asks for `logprobs`
  std::vector<TokenLogprob> tokens;
};

enum class FinishReason {
  kStop,    // an end-of-text token or a stop string
  kLength,  // tokens_max or the context's end
};

struct CompletionEnd {
  FinishReason reason = FinishReason::kStop;
  std::int64_t prompt_tokens = 0;
  // drawn, those of a stop string counted and an end-of-text token not
  std::int64_t completion_tokens = 0;
};

// Both are called on the engine's thread, and must neither block nor call the engine. `on_end` is
// called once, and nothing after it.
struct CompletionListener {
  std::function<void(CompletionPiece)> on_piece;
  std::function<void(Result<CompletionEnd>)> on_end;
  std::shared_ptr<std::atomic<bool>> cancelled;  // set it to end with kCancelled; may be null
};

}  // namespace emend::worker::eval
