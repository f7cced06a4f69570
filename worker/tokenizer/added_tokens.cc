#include "worker/tokenizer/added_tokens.h"

#include <algorithm>
#include <functional>

#include "worker/tokenizer/unicode.h"

namespace emend::worker::tokenizer {
namespace {

bool TouchesWord(std::string_view text, std::size_t begin, std::size_t end) {
  const bool before = begin > 0 && IsWordCharacter(CodePointBefore(text, begin).value);
  return before || (end < text.size() && IsWordCharacter(CodePointAt(text, end).value));
}

std::size_t WhitespaceBegin(std::string_view text, std::size_t end, std::size_t bound) {
  while (end > bound) {
    const CodePoint character = CodePointBefore(text, end);
    if (!IsWhitespace(character.value)) break;
    end -= character.size;
  }
  return end;
}

std::size_t WhitespaceEnd(std::string_view text, std::size_t at) {
  while (at < text.size()) {
    const CodePoint character = CodePointAt(text, at);
    if (!IsWhitespace(character.value)) break;
    at += character.size;
  }
  return at;
}

Result<AddedToken> ReadToken(const Node& node) {
  AddedToken token;
  EMEND_ASSIGN_OR_RETURN(token.content, node["content"].Text());
  if (token.content.empty()) return BadTokenizer(node.path() + ".content: is empty");
  EMEND_ASSIGN_OR_RETURN(const std::int64_t id, node["id"].Integer(kVocabularyMax));
  token.id = static_cast<TokenId>(id);
  EMEND_ASSIGN_OR_RETURN(token.single_word, node["single_word"].Flag(false));
  EMEND_ASSIGN_OR_RETURN(token.lstrip, node["lstrip"].Flag(false));
  EMEND_ASSIGN_OR_RETURN(token.rstrip, node["rstrip"].Flag(false));
  EMEND_ASSIGN_OR_RETURN(token.special, node["special"].Flag(false));
  EMEND_ASSIGN_OR_RETURN(token.normalized, node["normalized"].Flag(!token.special));
  return token;
}

}  // namespace

void AddedTokenSet::Insert(const AddedToken& token) {
  const std::string& text = token.written;
  std::vector<std::size_t>& lengths = lengths_[static_cast<unsigned char>(text.front())];
  const auto place =
      std::lower_bound(lengths.begin(), lengths.end(), text.size(), std::greater<>());
  if (place == lengths.end() || *place != text.size()) lengths.insert(place, text.size());
  tokens_.insert_or_assign(text, token);
}

const AddedToken* AddedTokenSet::LongestAt(std::string_view text, std::size_t at,
                                           std::size_t* bytes) const {
  for (const std::size_t length : lengths_[static_cast<unsigned char>(text[at])]) {
    if (length > text.size() - at) continue;
    const auto found = tokens_.find(std::string(text.substr(at, length)));
    if (found == tokens_.end()) continue;
    *bytes = length;
    return &found->second;
  }
  return nullptr;
}

std::vector<Segment> AddedTokenSet::Cut(std::string_view text) const {
  std::vector<Segment> segments;
  std::size_t done = 0;
  for (std::size_t at = 0; at < text.size();) {
    std::size_t bytes = 0;
    const AddedToken* const token = LongestAt(text, at, &bytes);
    const bool refused =
        token != nullptr && token->single_word && TouchesWord(text, at, at + bytes);
    if (token == nullptr || refused) {
      at += token == nullptr ? 1 : bytes;
      continue;
    }
    const std::size_t begin = token->lstrip ? WhitespaceBegin(text, at, done) : at;
    const std::size_t end = token->rstrip ? WhitespaceEnd(text, at + bytes) : at + bytes;
    if (begin > done) segments.push_back({done, begin, std::nullopt});
    segments.push_back({begin, end, token->id});
    done = at = end;
  }
  if (done < text.size()) segments.push_back({done, text.size(), std::nullopt});
  return segments;
}

Result<AddedTokens> AddedTokens::FromJson(const Node& node, const Normalizer& normalizer,
                                          Vocabulary* vocabulary) {
  AddedTokens added;
  EMEND_ASSIGN_OR_RETURN(const std::vector<Node> items, node.Items(kAddedTokensMax));
  for (const Node& item : items) {
    EMEND_ASSIGN_OR_RETURN(AddedToken token, ReadToken(item));
    token.in_model = vocabulary->TextOf(token.id) != nullptr;
    const Status entered = vocabulary->Add(token.content, token.id);
    if (!entered.ok()) return entered.WithContext(item.path());
    token.written = token.content;
    if (token.normalized) {
      EMEND_ASSIGN_OR_RETURN(const AlignedText normalized,
                             normalizer.Apply(AlignedText(token.content, 0)));
      token.written = std::string(normalized.text());
    }
    if (token.written.empty())
      return BadTokenizer(item.path() + ": the normalizer leaves nothing of its content");
    if (!added.by_id_.emplace(token.id, token).second)
      return BadTokenizer(item.path() + ": the id " + std::to_string(token.id) + " is added twice");
    (token.normalized ? added.normalized_ : added.raw_).Insert(token);
  }
  return added;
}

const AddedToken* AddedTokens::Find(TokenId id) const {
  const auto found = by_id_.find(id);
  return found == by_id_.end() ? nullptr : &found->second;
}

}  // namespace emend::worker::tokenizer
