#include "worker/eval/completion_text.h"

#include <algorithm>
#include <iterator>
#include <string_view>
#include <tuple>
#include <utility>

#include "storage/base/utf8.h"

namespace emend::worker::eval {
namespace {

using tokenizer::TokenId;

constexpr std::string_view kReplacement = "\xef\xbf\xbd";  // U+FFFD

bool IsSpecial(const tokenizer::Tokenizer& tokenizer, TokenId token) {
  return tokenizer.SpecialToken(tokenizer.TokenText(token)) == token;
}

// Whether more bytes can make a character of these, which are none. Its second byte decides: the
// lowest or the highest one fits every lead byte.
bool MayBecomeCharacter(std::string_view bytes) {
  const auto completes = [&](const char* rest) {
    return Utf8Length(std::string(bytes) + rest) > bytes.size();
  };
  return completes("\x80\x80\x80") || completes("\xbf\xbf\xbf");
}

// How many of these bytes, which begin with no character, are the beginning of one.
std::size_t BrokenLength(std::string_view bytes) {
  std::size_t length = 1;
  while (length < bytes.size() && MayBecomeCharacter(bytes.substr(0, length + 1))) ++length;
  return length;
}

}  // namespace

CompletionText::CompletionText(const tokenizer::Tokenizer& tokenizer,
                               std::span<const TokenId> prompt, std::vector<std::string> stop)
    : tokenizer_(tokenizer), stop_(std::move(stop)) {
  begins_text_ =
      std::ranges::all_of(prompt, [&](TokenId token) { return IsSpecial(tokenizer, token); });
}

std::string CompletionText::BytesOf(TokenId token) {
  if (!begins_text_) return tokenizer_.TokenText(token);
  begin_.push_back(token);
  std::string bytes = tokenizer_.Decode(begin_);
  if (!bytes.empty()) begins_text_ = false;
  return bytes;
}

void CompletionText::Echo(TokenId token, std::optional<TokenLogprob> logprob) {
  if (logprob) Name(std::move(*logprob));
  const bool is_in_front = begins_text_ && begin_.empty() && IsSpecial(tokenizer_, token);
  if (!is_in_front) bytes_ += BytesOf(token);
  TakeCharacters();
  Release(held_.size());
}

void CompletionText::Add(TokenId token, std::optional<TokenLogprob> logprob) {
  if (logprob) Name(std::move(*logprob));
  bytes_ += BytesOf(token);
  TakeCharacters();
  LookForStop();
  Release(stopped_ ? held_.size() : held_.size() - UncertainBytes());
}

void CompletionText::End(TokenLogprob logprob) { Name(std::move(logprob)); }

void CompletionText::Name(TokenLogprob logprob) {
  logprob.text_begin = static_cast<std::int64_t>(released_ + held_.size() + bytes_.size());
  logprob.token.text = tokenizer_.TokenText(logprob.token.id);
  for (LikelyToken& each : logprob.top) each.text = tokenizer_.TokenText(each.id);
  tokens_.push_back(std::move(logprob));
}

void CompletionText::TakeCharacters() {
  std::size_t begin = 0;
  while (begin < bytes_.size()) {
    const std::string_view rest = std::string_view(bytes_).substr(begin);
    const std::size_t length = Utf8Length(rest);
    if (length == 0 && MayBecomeCharacter(rest)) break;
    held_ += length > 0 ? rest.substr(0, length) : kReplacement;
    begin += length > 0 ? length : BrokenLength(rest);
  }
  bytes_.erase(0, begin);
}

void CompletionText::LookForStop() {
  std::size_t first_begin = std::string::npos, first_end = std::string::npos;
  for (const std::string& stop : stop_) {
    const std::size_t begin = held_.find(stop);
    if (begin == std::string::npos) continue;
    const std::size_t end = begin + stop.size();
    if (end < first_end || (end == first_end && begin < first_begin))
      std::tie(first_begin, first_end) = std::pair(begin, end);
  }
  if (first_end == std::string::npos) return;
  stopped_ = true;
  held_.resize(first_begin);
  bytes_.clear();
}

std::size_t CompletionText::UncertainBytes() const {
  std::size_t uncertain = 0;
  for (const std::string& stop : stop_) {
    for (std::size_t size = std::min(held_.size(), stop.size() - 1); size > uncertain; --size) {
      if (std::string_view(held_).ends_with(std::string_view(stop).substr(0, size)))
        uncertain = size;
    }
  }
  return uncertain;
}

void CompletionText::Release(std::size_t bytes) {
  ready_.text += held_.substr(0, bytes);
  held_.erase(0, bytes);
  released_ += bytes;
  while (!tokens_.empty() && tokens_.front().text_begin < static_cast<std::int64_t>(released_)) {
    ready_.tokens.push_back(std::move(tokens_.front()));
    tokens_.pop_front();
  }
}

void CompletionText::Finish() {
  // What cuts a character is none; what stands before a stop string was looked at already.
  if (!bytes_.empty()) held_ += kReplacement;
  bytes_.clear();
  Release(held_.size());
  // What is left begins where the text ends: in the stop string, which is not told of, or without a
  // byte of its own.
  if (!stopped_) std::ranges::move(tokens_, std::back_inserter(ready_.tokens));
  tokens_.clear();
  for (TokenLogprob& token : ready_.tokens)
    token.text_begin = std::min(token.text_begin, static_cast<std::int64_t>(released_));
}

CompletionPiece CompletionText::Take() { return std::exchange(ready_, {}); }

}  // namespace emend::worker::eval
