#include "worker/tokenizer/model.h"

#include <algorithm>
#include <utility>

#include "storage/base/log.h"
#include "worker/tokenizer/bpe_model.h"
#include "worker/tokenizer/unigram_model.h"

namespace emend::worker::tokenizer {
namespace {

std::string ByteTokenText(unsigned byte) {
  static constexpr char kHex[] = "0123456789ABCDEF";
  return {'<', '0', 'x', kHex[byte >> 4], kHex[byte & 15], '>'};
}

}  // namespace

Result<std::unique_ptr<Model>> Model::FromJson(const Node& node, SymbolKind kind) {
  if (node.IsNull()) return node.Expected("an object of type BPE or Unigram");
  EMEND_ASSIGN_OR_RETURN(const std::string type, node["type"].Text("BPE"));
  if (type == "BPE") return BpeModel::FromJson(node, kind);
  if (type == "Unigram") return UnigramModel::FromJson(node, kind);
  return node.UnknownType(type, "BPE, Unigram");
}

Result<std::unique_ptr<Model>> Model::FromPieces(const SentencePieceFile& file) {
  return file.model_type == SentencePieceFile::ModelType::kBpe ? BpeModel::FromPieces(file)
                                                               : UnigramModel::FromPieces(file);
}

Status Model::Append(const AlignedText& text, const Piece& piece,
                     std::vector<Token>* tokens) const {
  const std::string_view word = text.text().substr(piece.begin, piece.end - piece.begin);
  const bool cacheable = word.size() <= WordCache::kWordBytesMax;
  std::vector<Symbol> symbols;
  if (!cacheable || !cache_->Find(word, &symbols)) {
    EMEND_RETURN_IF_ERROR(Cut(word, &symbols));
    if (cacheable) cache_->Insert(word, symbols);
  }
  std::size_t at = piece.begin;
  for (const Symbol& symbol : symbols) {
    const Span span = text.Original(at, at + symbol.bytes);
    tokens->push_back({symbol.id, span.begin, span.end});
    at += symbol.bytes;
  }
  return OkStatus();
}

void Model::SetStandIns(StandIns stand_ins) {
  stand_ins_ = std::move(stand_ins);
  for (unsigned byte = 0; byte < 256; ++byte)
    byte_tokens_[byte] = vocabulary_.Find(ByteTokenText(byte)).value_or(-1);
}

Model::StandIns Model::StandInsOf(const SentencePieceFile& file) {
  const auto unknown = std::ranges::find(file.pieces, SentencePieceFile::PieceType::kUnknown,
                                         &SentencePieceFile::Piece::type);
  return {file.byte_fallback, unknown->text, static_cast<TokenId>(unknown - file.pieces.begin())};
}

bool Model::AppendByteTokens(std::string_view text, std::vector<Symbol>* symbols) const {
  const auto token_of = [&](char byte) { return byte_tokens_[static_cast<unsigned char>(byte)]; };
  if (!stand_ins_.byte_fallback ||
      std::ranges::any_of(text, [&](char byte) { return token_of(byte) < 0; }))
    return false;
  for (const char byte : text) symbols->push_back({token_of(byte), 1});
  return true;
}

Status Model::NoTokenFor(std::string_view text) const {
  return {
      StatusCode::kInvalidArgument, "no_token_for_text",
      "the vocabulary has no token for " + JsonQuote(text) +
          (stand_ins_.unk_text.empty()
               ? " and the tokenizer names no unk_token"
               : ", and the unk_token " + JsonQuote(stand_ins_.unk_text) + " is not in it either")};
}

}  // namespace emend::worker::tokenizer
