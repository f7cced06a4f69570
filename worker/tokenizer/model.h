// The "model" of a tokenizer file: turns a piece of text into tokens. Known: BPE (bpe_model.h) and
// Unigram (unigram_model.h). Thread-safety: const methods are safe from many threads.
#pragma once

#include <array>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "storage/base/status.h"
#include "worker/tokenizer/aligned_text.h"
#include "worker/tokenizer/json_node.h"
#include "worker/tokenizer/pre_tokenizer.h"
#include "worker/tokenizer/sentencepiece_file.h"
#include "worker/tokenizer/vocabulary.h"
#include "worker/tokenizer/word_cache.h"

namespace emend::worker::tokenizer {

// What a model starts from: bytes, written in the byte alphabet, or characters.
enum class SymbolKind { kByte, kCharacter };

class Model {
 public:
  static Result<std::unique_ptr<Model>> FromJson(const Node& node, SymbolKind kind);
  static Result<std::unique_ptr<Model>> FromPieces(const SentencePieceFile& file);

  virtual ~Model() = default;

  // Appends the tokens of one piece of `text`. kInvalidArgument, slug "no_token_for_text", for a
  // character that the vocabulary cannot write, where nothing of it stands in for one.
  Status Append(const AlignedText& text, const Piece& piece, std::vector<Token>* tokens) const;

  const Vocabulary& vocabulary() const { return vocabulary_; }
  Vocabulary& vocabulary() { return vocabulary_; }

 protected:
  // What stands in for text that has no token: the tokens "<0x00>" to "<0xFF>" of its bytes, else
  // the unknown token.
  struct StandIns {
    bool byte_fallback = false;
    std::string unk_text;  // what the file names, which need not be in the vocabulary
    std::optional<TokenId> unk;
  };

  explicit Model(Vocabulary vocabulary)
      : vocabulary_(std::move(vocabulary)), cache_(std::make_unique<WordCache>()) {}

  // Appends the tokens of `word`, which is not empty.
  virtual Status Cut(std::string_view word, std::vector<Symbol>* symbols) const = 0;

  void SetStandIns(StandIns stand_ins);
  static StandIns StandInsOf(const SentencePieceFile& file);
  const StandIns& stand_ins() const { return stand_ins_; }
  // Appends a token for each byte of `text` and returns true; or returns false, if the file does
  // not want that or lacks one of them.
  bool AppendByteTokens(std::string_view text, std::vector<Symbol>* symbols) const;
  Status NoTokenFor(std::string_view text) const;

 private:
  Vocabulary vocabulary_;
  StandIns stand_ins_;
  std::array<TokenId, 256> byte_tokens_{};  // -1 where there is none
  std::unique_ptr<WordCache> cache_;
};

}  // namespace emend::worker::tokenizer
