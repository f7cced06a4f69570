// BPE: cuts a piece of text into symbols (bytes or characters) and merges them into tokens.
// Thread-safety: const methods are safe from many threads.
#pragma once

#include <array>
#include <memory>
#include <optional>
#include <string_view>
#include <vector>

#include "storage/base/status.h"
#include "worker/tokenizer/merge_table.h"
#include "worker/tokenizer/model.h"
#include "worker/tokenizer/prefix_table.h"

namespace emend::worker::tokenizer {

inline constexpr std::size_t kMergesMax = std::size_t{1} << 21;

class BpeModel final : public Model {
 public:
  static Result<std::unique_ptr<Model>> FromJson(const Node& node, SymbolKind kind);
  // Two neighbours merge if their texts together are a piece, the one with the highest score first.
  static Result<std::unique_ptr<Model>> FromPieces(const SentencePieceFile& file);

 protected:
  Status Cut(std::string_view word, std::vector<Symbol>* symbols) const override;

 private:
  BpeModel(Vocabulary vocabulary, MergeTable merges, SymbolKind kind);

  static Result<MergeTable> ReadMerges(const Node& node, const Vocabulary& vocabulary);
  Status ReadOptions(const Node& node);
  Status StartSymbols(std::string_view word, std::vector<Symbol>* symbols) const;
  std::optional<TokenId> WholeWord(std::string_view word) const;
  TokenId CharacterId(std::string_view character) const;

  MergeTable merges_;
  SymbolKind kind_;
  PrefixTable user_defined_;  // texts that are one symbol, and merge with nothing
  bool fuse_unk_ = false;
  bool ignore_merges_ = false;
  std::array<TokenId, 256> alphabet_ids_{};  // kByte: of the alphabet's characters, -1: none
};

}  // namespace emend::worker::tokenizer
