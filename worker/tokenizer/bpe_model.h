// The "model" of a tokenizer file: cuts a piece of text into symbols (bytes or characters) and
// merges them into tokens. Thread-safety: const methods are safe from many threads.
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
#include "worker/tokenizer/merge_table.h"
#include "worker/tokenizer/pre_tokenizer.h"
#include "worker/tokenizer/vocabulary.h"
#include "worker/tokenizer/word_cache.h"

namespace emend::worker::tokenizer {

inline constexpr std::size_t kMergesMax = std::size_t{1} << 21;

// What the merging starts from: bytes, written in the byte alphabet, or characters.
enum class SymbolKind { kByte, kCharacter };

class BpeModel {
 public:
  static Result<BpeModel> FromJson(const Node& node, SymbolKind kind);

  // Appends the tokens of one piece of `text`. kInvalidArgument, slug "no_token_for_text", for a
  // character that the vocabulary cannot write, where no unk_token of it stands in for one.
  Status Append(const AlignedText& text, const Piece& piece, std::vector<Token>* tokens) const;

  const Vocabulary& vocabulary() const { return vocabulary_; }
  Vocabulary& vocabulary() { return vocabulary_; }

 private:
  BpeModel(Vocabulary vocabulary, MergeTable merges, SymbolKind kind);

  static Result<MergeTable> ReadMerges(const Node& node, const Vocabulary& vocabulary);
  Status ReadOptions(const Node& node);
  void IndexSymbols();
  Status Symbols(std::string_view word, std::vector<Symbol>* symbols) const;
  Status StartSymbols(std::string_view word, std::vector<Symbol>* symbols) const;
  bool AppendByteTokens(std::string_view character, std::vector<Symbol>* symbols) const;
  std::optional<TokenId> WholeWord(std::string_view word) const;
  TokenId CharacterId(std::string_view character) const;
  Status NoTokenFor(std::string_view character) const;

  Vocabulary vocabulary_;
  MergeTable merges_;
  SymbolKind kind_;
  bool byte_fallback_ = false;
  bool fuse_unk_ = false;
  bool ignore_merges_ = false;
  std::string unk_text_;  // what the file names, which need not be in the vocabulary
  std::optional<TokenId> unk_;
  // kByte: of the alphabet's characters; kCharacter: of "<0x00>" to "<0xFF>"; -1 where there is
  // none
  std::array<TokenId, 256> byte_ids_{};
  std::unique_ptr<WordCache> cache_;
};

}  // namespace emend::worker::tokenizer
