// The tokens of a GGUF file, and the merges that follow from their scores. What gguf_tokenizer.cc
// is made of; errors are kInvalidArgument ("gguf_bad_value", by key).
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "storage/base/status.h"
#include "storage/checkpoint/gguf.h"

namespace emend::coordinator::core {

// "tokenizer.ggml.NAME"
inline std::string TokenizerKey(std::string_view name) {
  return "tokenizer.ggml." + std::string(name);
}

// Kinds of tokens, as files number them.
enum class GgufTokenKind {
  kNormal = 1,
  kUnknown = 2,
  kControl = 3,
  kGiven = 4,
  kUnused = 5,
  kByte = 6
};

// Moved, never copied: `ids` borrows.
struct GgufTokens {
  GgufTokens() = default;
  GgufTokens(GgufTokens&&) = default;

  std::vector<std::string> texts;
  std::vector<GgufTokenKind> kinds;
  std::unordered_map<std::string_view, std::size_t> ids;  // of `texts`
};

// What stands for a space in pieces.
inline constexpr char kPieceSpace[] = "\u2581";

// kPieces: the spaces of tokens that were given as they are become kPieceSpace again, which
// converters undo.
enum class GgufTexts { kAsTheyAre, kPieces };

// UTF-8, and no text twice.
Result<GgufTokens> ReadGgufTokens(const storage::checkpoint::GgufFile& file, GgufTexts form);

// Two pieces that become a third.
struct GgufMerge {
  std::size_t left = 0, right = 0;  // tokens
};

// SentencePiece merges by the score of what a merge gives; the tokens that were given to it as they
// are come before all. Between equal scores longer parts come first, then the lower ids.
Result<std::vector<GgufMerge>> MergesByScore(const storage::checkpoint::GgufFile& file,
                                             const GgufTokens& tokens);

}  // namespace emend::coordinator::core
