// The token texts of a model, as its file writes them, by id and by text.
// Thread-safety: const methods are safe from many threads.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "storage/base/status.h"
#include "worker/tokenizer/json_node.h"
#include "worker/tokenizer/sentencepiece_file.h"
#include "worker/tokenizer/tokenizer.h"

namespace emend::worker::tokenizer {

// tokens, and one more than the largest id
inline constexpr std::size_t kVocabularyMax = std::size_t{1} << 21;

inline constexpr std::size_t kTokenBytesMax = 4096;  // of one token's text in the file

class Vocabulary {
 public:
  Vocabulary() = default;
  Vocabulary(Vocabulary&&) = default;
  Vocabulary& operator=(Vocabulary&&) = default;

  // `node` is an object {text: id}. Two texts with one id are refused.
  static Result<Vocabulary> FromJson(const Node& node);
  // Two pieces with one text are refused.
  static Result<Vocabulary> FromPieces(const SentencePieceFile& file);

  // kResourceExhausted for a text over kTokenBytesMax, kInvalidArgument if `id` already stands for
  // another text, or `text` for another id.
  Status Add(const std::string& text, TokenId id);
  std::optional<TokenId> Find(std::string_view text) const;
  // The text of `id`, or nothing where the ids have a hole.
  const std::string* TextOf(TokenId id) const;
  // One more than the largest id.
  std::size_t size() const { return texts_.size(); }

 private:
  struct Hash {
    using is_transparent = void;
    std::size_t operator()(std::string_view text) const {
      return std::hash<std::string_view>()(text);
    }
  };

  // by id, null at holes; they point into the keys of ids_, which do not move
  std::vector<const std::string*> texts_;
  std::unordered_map<std::string, TokenId, Hash, std::equal_to<>> ids_;
};

}  // namespace emend::worker::tokenizer
