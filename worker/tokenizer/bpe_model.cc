#include "worker/tokenizer/bpe_model.h"

#include <algorithm>
#include <functional>
#include <utility>

#include "storage/base/log.h"
#include "worker/tokenizer/bpe_merge.h"
#include "worker/tokenizer/sentencepiece_rules.h"
#include "worker/tokenizer/unicode.h"

namespace emend::worker::tokenizer {
namespace {

// A merge is a pair ["a", "b"] or, in older files, one string "a b".
Result<std::pair<std::string, std::string>> MergeParts(const Json& merge, const std::string& path) {
  if (merge.is_array() && merge.size() == 2 && merge[0].is_string() && merge[1].is_string()) {
    return std::pair(merge[0].get<std::string>(), merge[1].get<std::string>());
  }
  if (!merge.is_string())
    return Node(&merge, path).Expected("a pair of strings or one string \"left right\"");
  const auto& text = merge.get_ref<const std::string&>();
  const std::size_t space = text.find(' ');
  if (space == std::string::npos || text.find(' ', space + 1) != std::string::npos) {
    return BadTokenizer(path + ": " + JsonQuote(text) +
                        " is not two tokens with one space between");
  }
  return std::pair(text.substr(0, space), text.substr(space + 1));
}

Result<TokenId> KnownToken(const Vocabulary& vocabulary, const std::string& text,
                           const std::string& path) {
  const auto id = vocabulary.Find(text);
  if (!id.has_value())
    return BadTokenizer(path + ": the token " + JsonQuote(text) + " is not in the vocabulary");
  return *id;
}

Status RefuseAffix(const Node& node) {
  EMEND_ASSIGN_OR_RETURN(const std::string affix, node.Text(""));
  if (!affix.empty())
    return Unsupported(node.path() + ": is " + JsonQuote(affix) +
                       "; only models without it are supported");
  return OkStatus();
}

// A piece and the two that it is put together from.
struct Composition {
  float score = 0;
  TokenId left = 0;
  TokenId right = 0;
  TokenId id = 0;
};

MergeTable MergesOf(const SentencePieceFile& file, const Vocabulary& vocabulary) {
  const auto normal = [&](std::string_view text) -> std::optional<TokenId> {
    const auto id = vocabulary.Find(text);
    const bool merges = id.has_value() && file.pieces[static_cast<std::size_t>(*id)].type ==
                                              SentencePieceFile::PieceType::kNormal;
    return merges ? id : std::nullopt;
  };
  std::vector<Composition> compositions;
  for (const SentencePieceFile::Piece& piece : file.pieces) {
    const std::string_view text = piece.text;
    const auto id = normal(text);
    if (!id.has_value()) continue;
    for (std::size_t at = CodePointAt(text, 0).size; at < text.size();
         at += CodePointAt(text, at).size) {
      const auto left = normal(text.substr(0, at));
      const auto right = left.has_value() ? normal(text.substr(at)) : std::nullopt;
      if (right.has_value()) compositions.push_back({piece.score, *left, *right, *id});
    }
  }
  std::ranges::stable_sort(compositions, std::greater<>(), &Composition::score);
  MergeTable merges(compositions.size());
  std::uint32_t rank = 0;  // one for each score
  for (std::size_t i = 0; i < compositions.size(); ++i) {
    const Composition& each = compositions[i];
    if (i > 0 && each.score != compositions[i - 1].score) ++rank;
    merges.Insert(each.left, each.right, {rank, each.id});
  }
  return merges;
}

}  // namespace

BpeModel::BpeModel(Vocabulary vocabulary, MergeTable merges, SymbolKind kind)
    : Model(std::move(vocabulary)), merges_(std::move(merges)), kind_(kind) {
  std::string text;
  for (unsigned byte = 0; byte < 256; ++byte) {
    text.clear();
    AppendUtf8(ByteAlphabet()[byte], &text);
    alphabet_ids_[byte] = this->vocabulary().Find(text).value_or(-1);
  }
}

Result<std::unique_ptr<Model>> BpeModel::FromJson(const Node& node, SymbolKind kind) {
  EMEND_ASSIGN_OR_RETURN(Vocabulary vocabulary, Vocabulary::FromJson(node["vocab"]));
  EMEND_ASSIGN_OR_RETURN(MergeTable merges, ReadMerges(node["merges"], vocabulary));
  std::unique_ptr<BpeModel> model(new BpeModel(std::move(vocabulary), std::move(merges), kind));
  EMEND_RETURN_IF_ERROR(model->ReadOptions(node));
  return std::unique_ptr<Model>(std::move(model));
}

Result<std::unique_ptr<Model>> BpeModel::FromPieces(const SentencePieceFile& file) {
  EMEND_ASSIGN_OR_RETURN(Vocabulary vocabulary, Vocabulary::FromPieces(file));
  MergeTable merges = MergesOf(file, vocabulary);
  std::unique_ptr<BpeModel> model(
      new BpeModel(std::move(vocabulary), std::move(merges), SymbolKind::kCharacter));
  model->user_defined_ = UserDefinedPieces(file);
  model->fuse_unk_ = true;
  model->SetStandIns(StandInsOf(file));
  return std::unique_ptr<Model>(std::move(model));
}

Result<MergeTable> BpeModel::ReadMerges(const Node& node, const Vocabulary& vocabulary) {
  if (node.IsNull() || !node.json().is_array()) return node.Expected("an array of merges");
  if (node.json().size() > kMergesMax) {
    return ResourceExhausted(node.path() + ": has " + std::to_string(node.json().size()) +
                             " merges; at most " + std::to_string(kMergesMax) + " are allowed");
  }
  MergeTable merges(node.json().size());
  std::uint32_t rank = 0;
  for (const Json& merge : node.json()) {
    if (rank == 0 && merge.is_string() &&
        merge.get_ref<const std::string&>().starts_with("#version"))
      continue;
    const std::string path = node.path() + "[" + std::to_string(rank) + "]";
    EMEND_ASSIGN_OR_RETURN(const auto parts, MergeParts(merge, path));
    EMEND_ASSIGN_OR_RETURN(const TokenId left, KnownToken(vocabulary, parts.first, path));
    EMEND_ASSIGN_OR_RETURN(const TokenId right, KnownToken(vocabulary, parts.second, path));
    EMEND_ASSIGN_OR_RETURN(const TokenId merged,
                           KnownToken(vocabulary, parts.first + parts.second, path));
    merges.Insert(left, right, {rank++, merged});
  }
  return merges;
}

Status BpeModel::ReadOptions(const Node& node) {
  const Node dropout = node["dropout"];
  if (!dropout.IsNull() && !(dropout.json().is_number() && dropout.json().get<double>() == 0)) {
    return Unsupported(dropout.path() + ": is " + dropout.json().dump() +
                       "; tokens must not depend on chance");
  }
  EMEND_RETURN_IF_ERROR(RefuseAffix(node["continuing_subword_prefix"]));
  EMEND_RETURN_IF_ERROR(RefuseAffix(node["end_of_word_suffix"]));
  EMEND_ASSIGN_OR_RETURN(fuse_unk_, node["fuse_unk"].Flag(false));
  EMEND_ASSIGN_OR_RETURN(ignore_merges_, node["ignore_merges"].Flag(false));
  StandIns stand_ins;
  EMEND_ASSIGN_OR_RETURN(stand_ins.byte_fallback, node["byte_fallback"].Flag(false));
  stand_ins.byte_fallback = stand_ins.byte_fallback && kind_ == SymbolKind::kCharacter;
  EMEND_ASSIGN_OR_RETURN(stand_ins.unk_text, node["unk_token"].Text(""));
  stand_ins.unk = vocabulary().Find(stand_ins.unk_text);
  SetStandIns(std::move(stand_ins));
  return OkStatus();
}

Status BpeModel::Cut(std::string_view word, std::vector<Symbol>* symbols) const {
  if (const auto whole = ignore_merges_ ? WholeWord(word) : std::nullopt) {
    symbols->push_back({*whole, static_cast<std::uint32_t>(word.size())});
    return OkStatus();
  }
  EMEND_RETURN_IF_ERROR(StartSymbols(word, symbols));
  MergeSymbols(merges_, symbols);
  return OkStatus();
}

std::optional<TokenId> BpeModel::WholeWord(std::string_view word) const {
  if (kind_ == SymbolKind::kCharacter) return vocabulary().Find(word);
  std::string text;
  for (const char byte : word) AppendUtf8(ByteAlphabet()[static_cast<unsigned char>(byte)], &text);
  return vocabulary().Find(text);
}

TokenId BpeModel::CharacterId(std::string_view character) const {
  if (kind_ == SymbolKind::kByte)
    return alphabet_ids_[static_cast<unsigned char>(character.front())];
  return vocabulary().Find(character).value_or(-1);
}

Status BpeModel::StartSymbols(std::string_view word, std::vector<Symbol>* symbols) const {
  symbols->reserve(word.size());
  bool after_unk = false;
  for (std::size_t at = 0; at < word.size();) {
    if (const auto [bytes, id] = user_defined_.LongestPrefix(word.substr(at)); bytes > 0) {
      symbols->push_back({id, static_cast<std::uint32_t>(bytes)});
      at += bytes;
      after_unk = false;
      continue;
    }
    const std::string_view character =
        word.substr(at, kind_ == SymbolKind::kByte ? 1 : CodePointAt(word, at).size);
    const auto bytes = static_cast<std::uint32_t>(character.size());
    at += bytes;
    const TokenId id = CharacterId(character);
    if (id >= 0) {
      symbols->push_back({id, bytes});
      after_unk = false;
    } else if (AppendByteTokens(character, symbols)) {
      after_unk = false;
    } else if (!stand_ins().unk.has_value()) {
      return NoTokenFor(character);
    } else if (after_unk && fuse_unk_) {
      symbols->back().bytes += bytes;
    } else {
      symbols->push_back({*stand_ins().unk, bytes});
      after_unk = true;
    }
  }
  return OkStatus();
}

}  // namespace emend::worker::tokenizer
