// Unigram: Kudo 2018, "Subword Regularization: Improving Neural Network Translation Models with
// Multiple Subword Candidates". Each token has a score, its logarithmic probability; of all ways to
// cut a piece of text into tokens the one with the highest sum is taken (Viterbi's algorithm).
// Thread-safety: const methods are safe from many threads.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "storage/base/status.h"
#include "worker/tokenizer/model.h"
#include "worker/tokenizer/prefix_table.h"

namespace emend::worker::tokenizer {

// Bytes of tokens that may be looked at for one piece of text.
inline constexpr std::size_t kLatticeStepsMax = std::size_t{1} << 28;

// What the tokens of a file mean for the sum.
struct UnigramScores {
  std::vector<double> of_id;
  double unk = 0;  // of a character that no token begins with
  // sums have 32 bits, as SentencePiece's do
  bool single_precision = false;
};

class UnigramModel final : public Model {
 public:
  static Result<std::unique_ptr<Model>> FromJson(const Node& node, SymbolKind kind);
  static Result<std::unique_ptr<Model>> FromPieces(const SentencePieceFile& file);

 protected:
  // kResourceExhausted over kLatticeStepsMax.
  Status Cut(std::string_view word, std::vector<Symbol>* symbols) const override;

 private:
  // The best way found to cut the text before a place: its last token, where that begins, the sum.
  struct Way {
    double score = 0;
    std::uint32_t begin = 0;
    std::optional<TokenId> id;  // none: no way was found
  };

  UnigramModel(Vocabulary vocabulary, PrefixTable tokens, UnigramScores scores);

  Result<std::vector<Way>> BestWays(std::string_view word) const;
  void Offer(const Way& from, std::uint32_t begin, TokenId id, double score, Way* to) const;
  bool IsUnk(TokenId id) const { return id == kUnkPlace || stand_ins().unk == id; }
  Status AppendUnk(std::string_view text, std::vector<Symbol>* symbols) const;

  static constexpr TokenId kUnkPlace = -1;  // a character that no token begins with

  PrefixTable tokens_;  // by id
  UnigramScores scores_;
};

}  // namespace emend::worker::tokenizer
