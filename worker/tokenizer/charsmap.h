// Charsmap: the rules by which SentencePiece rewrites characters, in the form in which its files
// hold them ("precompiled_charsmap"): a trie over what is rewritten, a double array as of Darts,
// and the texts to write instead. Thread-safety: const methods are safe from many threads.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "storage/base/status.h"

namespace emend::worker::tokenizer {

// Published rules rewrite at most a few characters; a hostile trie may lead around in circles.
inline constexpr std::size_t kRuleBytesMax = 128;

class Charsmap {
 public:
  struct Rule {
    std::size_t bytes = 0;  // of the text that is rewritten, from its begin
    std::string_view text;  // what is written instead; lives as long as the Charsmap
  };

  // kInvalidArgument for a trie that does not fit into `bytes`, or texts that are not UTF-8.
  static Result<Charsmap> FromBytes(std::string_view bytes);

  // The same, as JSON files hold it.
  static Result<Charsmap> FromBase64(std::string_view base64);

  // One of the rules for what `text` begins with, whole characters, at most kRuleBytesMax.
  // REQUIRES: UTF-8.
  enum class Choice { kShortest, kLongest };
  std::optional<Rule> RuleFor(std::string_view text, Choice choice) const;

 private:
  std::vector<std::uint32_t> units_;
  std::string texts_;  // each ended by a NUL
};

}  // namespace emend::worker::tokenizer
