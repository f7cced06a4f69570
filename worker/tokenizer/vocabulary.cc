#include "worker/tokenizer/vocabulary.h"

#include "storage/base/log.h"

namespace emend::worker::tokenizer {

Result<Vocabulary> Vocabulary::FromJson(const Node& node) {
  if (node.IsNull() || !node.json().is_object())
    return node.Expected("an object of token texts and ids");
  if (node.json().size() > kVocabularyMax) {
    return ResourceExhausted(node.path() + ": has " + std::to_string(node.json().size()) +
                             " tokens; at most " + std::to_string(kVocabularyMax) + " are allowed");
  }
  if (node.json().empty()) return BadTokenizer(node.path() + ": has no token");
  Vocabulary vocabulary;
  vocabulary.ids_.reserve(node.json().size());
  for (const auto& [text, value] : node.json().items()) {
    const Result<std::int64_t> id = Node(&value, "id").Integer(kVocabularyMax);
    if (!id.ok()) return id.status().WithContext(node.path() + ": token " + JsonQuote(text));
    const Status added = vocabulary.Add(text, static_cast<TokenId>(*id));
    if (!added.ok()) return added.WithContext(node.path());
  }
  return vocabulary;
}

Result<Vocabulary> Vocabulary::FromPieces(const SentencePieceFile& file) {
  Vocabulary vocabulary;
  for (const SentencePieceFile::Piece& piece : file.pieces)
    EMEND_RETURN_IF_ERROR(vocabulary.Add(piece.text, static_cast<TokenId>(vocabulary.size())));
  return vocabulary;
}

Status Vocabulary::Add(const std::string& text, TokenId id) {
  if (text.size() > kTokenBytesMax) {
    return ResourceExhausted("the token with the id " + std::to_string(id) + " has " +
                             std::to_string(text.size()) + " bytes; at most " +
                             std::to_string(kTokenBytesMax) + " are allowed");
  }
  const auto index = static_cast<std::size_t>(id);
  if (texts_.size() <= index) texts_.resize(index + 1, nullptr);
  if (texts_[index] != nullptr && *texts_[index] != text) {
    return BadTokenizer("the id " + std::to_string(id) + " stands for two tokens, " +
                        JsonQuote(*texts_[index]) + " and " + JsonQuote(text));
  }
  const auto [entry, inserted] = ids_.emplace(text, id);
  if (entry->second != id) {
    return BadTokenizer("the token " + JsonQuote(text) + " has two ids, " +
                        std::to_string(entry->second) + " and " + std::to_string(id));
  }
  texts_[index] = &entry->first;
  return OkStatus();
}

std::optional<TokenId> Vocabulary::Find(std::string_view text) const {
  const auto found = ids_.find(text);
  if (found == ids_.end()) return std::nullopt;
  return found->second;
}

const std::string* Vocabulary::TextOf(TokenId id) const {
  if (id < 0 || static_cast<std::size_t>(id) >= texts_.size()) return nullptr;
  return texts_[static_cast<std::size_t>(id)];
}

}  // namespace emend::worker::tokenizer
