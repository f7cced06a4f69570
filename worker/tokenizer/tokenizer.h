// Tokenizer: text to token ids and back, by the rules of a Hugging Face tokenizer.json or of a
// SentencePiece tokenizer.model, with the bytes of the text that each token stands for.
//
// Use it wherever text meets the model. The byte offsets are the point: edits act on the last token
// of a subject and on the tokens of a target, and both are found from one encoding of the joint
// string.
//
//   EMEND_ASSIGN_OR_RETURN(auto tokenizer, Tokenizer::OpenFolder("models/atlas"));
//   EMEND_ASSIGN_OR_RETURN(auto tokens, tokenizer->Encode(
//       "The mother tongue of Danielle Darrieux is"));
//   EMEND_ASSIGN_OR_RETURN(std::size_t last, LastSubjectToken(tokens, /*subject_end=*/38));
//   std::string text = tokenizer->Decode(ids);
//
// Known are BPE over bytes (GPT-2, NeoX, Llama 3, Qwen) and over characters (Llama 2, Gemma), and
// Unigram (T5). A component of any other type is refused by its name, never approximated.
//
// Thread-safety: const methods may be called from many threads at once. Ownership: a Tokenizer owns
// all it needs; texts and ids are only borrowed for a call.
#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "storage/base/status.h"

namespace emend::worker::tokenizer {

using TokenId = std::int32_t;

// One token and the bytes [begin, end) of the encoded text that it stands for. The spans follow
// each other without gaps but for what a component drops (spaces that are too many), also inside a
// character that is cut into single-byte tokens; only the tokens of a character that a normaliser
// rewrote (NFC) share its whole span. A token that stands
// for no byte of the text (a template's <s>, the space that some tokenizers put in front) has begin
// == end.
struct Token {
  TokenId id = 0;
  std::uint32_t begin = 0;
  std::uint32_t end = 0;
  friend bool operator==(const Token&, const Token&) = default;
};

// kWithTemplate adds the special tokens that the file's post-processor names (such as <s>); kPlain
// adds none.
enum class SpecialTokens { kPlain, kWithTemplate };

// The bytes of the files that stand beside each other where there is no tokenizer.json.
struct SentencePieceFiles {
  std::string model;             // tokenizer.model
  std::string tokenizer_config;  // tokenizer_config.json; empty: not there
  std::string added_tokens;      // added_tokens.json; empty: not there
};

class Tokenizer {
 public:
  static constexpr std::size_t kFileBytesMax = std::size_t{64} << 20;
  static constexpr std::size_t kTextBytesMax = std::size_t{16} << 20;

  // `tokenizer_json` is the whole file. kInvalidArgument (slug "bad_tokenizer") for a malformed
  // file, kUnsupported for a component this build does not know, kResourceExhausted for one over
  // the limits; each message names the part that is wrong.
  static Result<std::unique_ptr<Tokenizer>> FromJson(std::string_view tokenizer_json);
  // Tokens as the library `sentencepiece` makes them; control pieces are special tokens. The config
  // says whether a text begins and ends with one (add_bos_token, which is true without it, and
  // add_eos_token), and both files which tokens are added. Errors as FromJson.
  static Result<std::unique_ptr<Tokenizer>> FromSentencePiece(const SentencePieceFiles& files);
  // Reads a tokenizer.json, then as FromJson. kNotFound if there is none. Blocks on the disk.
  static Result<std::unique_ptr<Tokenizer>> Open(const std::string& path);
  // The tokenizer of a model's folder: tokenizer.json or, where there is none, tokenizer.model.
  // kNotFound, naming both, if there is neither. Blocks on the disk.
  static Result<std::unique_ptr<Tokenizer>> OpenFolder(const std::string& folder);
  // The name of the file that OpenFolder reads; kNotFound as there.
  static Result<std::string> FileIn(const std::string& folder);

  // Says that the model's embedding has `row_count` rows, so that a text which needs a token with
  // an id from there on is refused by every Encode() from now on. Before, all ids are given. Not
  // while other threads encode.
  void LimitTo(std::int64_t row_count) { row_count_ = row_count; }
  // The ids from `row_count` on that stand for a token.
  std::vector<TokenId> IdsFrom(std::int64_t row_count) const;

  ~Tokenizer();
  Tokenizer(const Tokenizer&) = delete;
  Tokenizer& operator=(const Tokenizer&) = delete;

  // Tokens in the order of the text; their spans never go backwards. kInvalidArgument if `text` is
  // not UTF-8, with the slug "no_token_for_text" if the vocabulary cannot write it, and
  // "unknown_token", naming token and text, if it needs a token without a row (LimitTo);
  // kResourceExhausted if it is over kTextBytesMax.
  Result<std::vector<Token>> Encode(std::string_view text,
                                    SpecialTokens special_tokens = SpecialTokens::kPlain) const;
  // The bytes that `ids` stand for; may be invalid UTF-8 where the ids cut a character. Ids outside
  // the vocabulary give nothing.
  std::string Decode(std::span<const TokenId> ids) const;
  // The bytes of one token as it stands inside a text (a leading space is kept).
  std::string TokenText(TokenId id) const;
  // One more than the largest id, added tokens included.
  std::int32_t vocabulary_size() const;
  // The id of an added token flagged special whose text is exactly `text`, such as "<|endoftext|>".
  std::optional<TokenId> SpecialToken(std::string_view text) const;

 private:
  struct Impl;
  explicit Tokenizer(std::unique_ptr<const Impl> impl);

  Status CheckRows(const std::vector<Token>& tokens, std::string_view text) const;

  std::unique_ptr<const Impl> impl_;
  std::int64_t row_count_ = std::numeric_limits<std::int64_t>::max();
};

struct PromptWithTarget {
  std::vector<TokenId> ids;
  std::size_t prompt_tokens = 0;  // ids[0, prompt_tokens) are the prompt, the rest is the target
};

// Encodes prompt + target as one string and finds where the target starts. kInvalidArgument with
// the slug "token_straddles_target" if a token holds bytes of both, "empty_target" if the target
// has no token.
Result<PromptWithTarget> EncodePromptWithTarget(
    const Tokenizer& tokenizer, std::string_view prompt, std::string_view target,
    SpecialTokens special_tokens = SpecialTokens::kPlain);

// The index of the last token that begins before byte `subject_end` of the encoded text: the last
// subject token. kInvalidArgument if there is none.
Result<std::size_t> LastSubjectToken(const std::vector<Token>& tokens, std::size_t subject_end);

}  // namespace emend::worker::tokenizer
