// The "added_tokens" of a tokenizer file: texts such as "<|endoftext|>" that become one token
// before anything else looks at the text.
//
// Tokens that are not "normalized" are looked for in the text as it came, the others behind the
// normaliser. The longest match at the leftmost place wins. Thread-safety: const methods are safe
// from many threads.
#pragma once

#include <array>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "storage/base/status.h"
#include "worker/tokenizer/json_node.h"
#include "worker/tokenizer/normalizer.h"
#include "worker/tokenizer/vocabulary.h"

namespace emend::worker::tokenizer {

inline constexpr std::size_t kAddedTokensMax = 65536;

struct AddedToken {
  std::string content;
  // what is looked for: the content, behind the normaliser if the token is `normalized`
  std::string written;
  TokenId id = 0;
  bool single_word = false;  // only where no word character touches it
  bool lstrip = false;       // takes white space before it
  bool rstrip = false;       // and behind it
  bool normalized = false;
  bool special = false;
  bool in_model = false;  // the model's vocabulary holds it too
};

// Bytes [begin, end) of a text and the added token that they are, if they are one.
struct Segment {
  std::size_t begin = 0;
  std::size_t end = 0;
  std::optional<TokenId> id;
};

// A set of texts to look for. An index over first bytes keeps the search fast where, as nearly
// everywhere, none begins.
class AddedTokenSet {
 public:
  void Insert(const AddedToken& token);
  // Cuts all of `text`, in order and without empty segments.
  std::vector<Segment> Cut(std::string_view text) const;

 private:
  const AddedToken* LongestAt(std::string_view text, std::size_t at, std::size_t* bytes) const;

  std::unordered_map<std::string, AddedToken> tokens_;
  // by first byte: the lengths of the texts that begin with it, longest first
  std::array<std::vector<std::size_t>, 256> lengths_;
};

class AddedTokens {
 public:
  // Enters the tokens into `vocabulary` too.
  static Result<AddedTokens> FromJson(const Node& node, const Normalizer& normalizer,
                                      Vocabulary* vocabulary);

  std::vector<Segment> CutRaw(std::string_view text) const { return raw_.Cut(text); }
  std::vector<Segment> CutNormalized(std::string_view text) const { return normalized_.Cut(text); }
  const AddedToken* Find(TokenId id) const;

 private:
  AddedTokenSet raw_;
  AddedTokenSet normalized_;
  std::unordered_map<TokenId, AddedToken> by_id_;
};

}  // namespace emend::worker::tokenizer
