// The "decoder" of a tokenizer file: turns tokens back into bytes. Every token's bytes are worked
// out once, when the file is read. Known: ByteLevel, ByteFallback, Fuse, Metaspace, Replace (of a
// string), Strip, Sequence. Thread-safety: const methods are safe from many threads.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "storage/base/status.h"
#include "worker/tokenizer/added_tokens.h"
#include "worker/tokenizer/json_node.h"
#include "worker/tokenizer/vocabulary.h"

namespace emend::worker::tokenizer {

class Decoder {
 public:
  static Result<Decoder> FromJson(const Node& node, const Vocabulary& vocabulary,
                                  const AddedTokens& added);

  // Empty for an id that is not in the vocabulary.
  std::string_view TokenBytes(TokenId id) const;
  std::string Decode(std::span<const TokenId> ids) const;

 private:
  friend class DecoderReader;

  static std::string_view BytesIn(const std::vector<std::string>& bytes, TokenId id);

  std::vector<std::string> bytes_;  // by id
  std::string strip_;               // a character taken off the ends of the whole text
  std::size_t strip_begin_ = 0;     // at most so often at its begin
  std::size_t strip_end_ = 0;       // and at its end
  // Metaspace: the first token of a text gives none of the spaces that are written as its
  // placeholder
  bool first_differs_ = false;
  std::vector<std::string> first_bytes_;  // by id, if so
};

}  // namespace emend::worker::tokenizer
