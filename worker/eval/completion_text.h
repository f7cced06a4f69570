// CompletionText: tokens in, pieces of text out, each as soon as it is certain. Internal to
// worker/eval.
//
//   CompletionText text(tokenizer, prompt, {"\n\n"});
//   text.Add(token, {});
//   // a stop string is complete; what stands before it is all there will be
//   if (text.stopped()) ...
//   CompletionPiece piece = text.Take();
//
// Held back are bytes that cut a character, until it is whole, and what may be the beginning of a
// stop string, until it is none: at most the longest stop string's length and three bytes. Bytes
// that belong to no character come out as U+FFFD, one for as many as begin one. Where the prompt is
// nothing but special tokens the completion begins a text, and has no space in front that the
// tokenizer put there. Owned by one thread.
#pragma once

#include <cstddef>
#include <deque>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "worker/eval/completion.h"
#include "worker/tokenizer/tokenizer.h"

namespace emend::worker::eval {

class CompletionText {
 public:
  // `tokenizer` must outlive it. REQUIRES: no stop string is empty, all are UTF-8.
  CompletionText(const tokenizer::Tokenizer& tokenizer, std::span<const tokenizer::TokenId> prompt,
                 std::vector<std::string> stop);

  // The prompt's next token, where the text begins with the prompt (and none was given above).
  // Special tokens in front are no text.
  void Echo(tokenizer::TokenId token, std::optional<TokenLogprob> logprob);
  // The next token, and what is to be told of it besides its texts. REQUIRES: neither stopped nor
  // finished.
  void Add(tokenizer::TokenId token, std::optional<TokenLogprob> logprob);
  // What is to be told of a token that ends the text and is no part of it. Finish() follows.
  void End(TokenLogprob logprob);
  // No token follows: what is held back is text.
  void Finish();

  bool stopped() const { return stopped_; }
  // What has become certain since the last call.
  CompletionPiece Take();

 private:
  std::string BytesOf(tokenizer::TokenId token);
  // Of a token that begins here.
  void Name(TokenLogprob logprob);
  void TakeCharacters();
  // Cuts `held_` before the stop string that is complete first.
  void LookForStop();
  // How many bytes at the end of `held_` may begin a stop string.
  std::size_t UncertainBytes() const;
  void Release(std::size_t bytes);

  const tokenizer::Tokenizer& tokenizer_;
  const std::vector<std::string> stop_;
  bool begins_text_ = false;               // and nothing of it has come out yet
  std::vector<tokenizer::TokenId> begin_;  // the tokens until then
  std::string bytes_;                      // no whole character yet
  std::string held_;                       // whole characters, not certain
  std::size_t released_ = 0;               // bytes that are certain
  bool stopped_ = false;
  std::deque<TokenLogprob> tokens_;  // whose text is not certain
  CompletionPiece ready_;
};

}  // namespace emend::worker::eval
