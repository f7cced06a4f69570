#include "worker/tokenizer/tokenizer.h"

#include <algorithm>
#include <utility>

#include "storage/base/file_system.h"
#include "storage/base/log.h"
#include "storage/base/utf8.h"
#include "worker/tokenizer/added_tokens.h"
#include "worker/tokenizer/decoder.h"
#include "worker/tokenizer/json_node.h"
#include "worker/tokenizer/model.h"
#include "worker/tokenizer/normalizer.h"
#include "worker/tokenizer/post_processor.h"
#include "worker/tokenizer/pre_tokenizer.h"
#include "worker/tokenizer/sentencepiece_file.h"
#include "worker/tokenizer/sentencepiece_json.h"
#include "worker/tokenizer/sentencepiece_rules.h"

namespace emend::worker::tokenizer {

// The components of the file, in the order in which a text passes them. Constant after
// construction.
struct Tokenizer::Impl {
  Normalizer normalizer;
  PreTokenizer pre_tokenizer;
  std::unique_ptr<Model> model;
  AddedTokens added;
  Decoder decoder;
  Template special_tokens;

  static Result<std::unique_ptr<const Impl>> FromJson(const Node& root);
  static Result<std::unique_ptr<const Impl>> FromPieces(const SentencePieceFile& file,
                                                        const Node& config, const Node& added);
  // `root` says what comes after the model.
  static Result<std::unique_ptr<const Impl>> FromParts(Normalizer normalizer,
                                                       PreTokenizer pre_tokenizer,
                                                       std::unique_ptr<Model> model,
                                                       const Node& root);
  Status EncodeRaw(AlignedText text, std::vector<Token>* tokens) const;
  Status EncodeNormalized(AlignedText text, std::vector<Token>* tokens) const;
};

Result<std::unique_ptr<const Tokenizer::Impl>> Tokenizer::Impl::FromJson(const Node& root) {
  EMEND_ASSIGN_OR_RETURN(Normalizer normalizer, Normalizer::FromJson(root["normalizer"]));
  EMEND_ASSIGN_OR_RETURN(PreTokenizer pre_tokenizer, PreTokenizer::FromJson(root["pre_tokenizer"]));
  const SymbolKind kind = pre_tokenizer.byte_level() ? SymbolKind::kByte : SymbolKind::kCharacter;
  EMEND_ASSIGN_OR_RETURN(std::unique_ptr<Model> model, Model::FromJson(root["model"], kind));
  return FromParts(std::move(normalizer), std::move(pre_tokenizer), std::move(model), root);
}

Result<std::unique_ptr<const Tokenizer::Impl>> Tokenizer::Impl::FromPieces(
    const SentencePieceFile& file, const Node& config, const Node& added) {
  EMEND_ASSIGN_OR_RETURN(NormalizerPointer rules, MakeSentencePieceRules(file));
  EMEND_ASSIGN_OR_RETURN(std::unique_ptr<Model> model, Model::FromPieces(file));
  EMEND_ASSIGN_OR_RETURN(const Json json, SentencePieceJson(file, config, added));
  return FromParts(Normalizer::FromStep(std::move(rules)), PreTokenizer(), std::move(model),
                   Node(&json, ""));
}

Result<std::unique_ptr<const Tokenizer::Impl>> Tokenizer::Impl::FromParts(
    Normalizer normalizer, PreTokenizer pre_tokenizer, std::unique_ptr<Model> model,
    const Node& root) {
  EMEND_ASSIGN_OR_RETURN(AddedTokens added, AddedTokens::FromJson(root["added_tokens"], normalizer,
                                                                  &model->vocabulary()));
  EMEND_ASSIGN_OR_RETURN(Decoder decoder,
                         Decoder::FromJson(root["decoder"], model->vocabulary(), added));
  EMEND_ASSIGN_OR_RETURN(Template special_tokens,
                         ReadTemplate(root["post_processor"], model->vocabulary()));
  return std::unique_ptr<const Impl>(std::make_unique<Impl>(
      Impl{std::move(normalizer), std::move(pre_tokenizer), std::move(model), std::move(added),
           std::move(decoder), std::move(special_tokens)}));
}

Status Tokenizer::Impl::EncodeRaw(AlignedText text, std::vector<Token>* tokens) const {
  EMEND_ASSIGN_OR_RETURN(const AlignedText normalized, normalizer.Apply(std::move(text)));
  for (const Segment& segment : added.CutNormalized(normalized.text())) {
    if (segment.id.has_value()) {
      const Span span = normalized.Original(segment.begin, segment.end);
      tokens->push_back({*segment.id, span.begin, span.end});
    } else {
      EMEND_RETURN_IF_ERROR(EncodeNormalized(normalized.Part(segment.begin, segment.end), tokens));
    }
  }
  return OkStatus();
}

Status Tokenizer::Impl::EncodeNormalized(AlignedText text, std::vector<Token>* tokens) const {
  EMEND_ASSIGN_OR_RETURN(const Pieces pieces, pre_tokenizer.Apply(std::move(text)));
  for (const Piece& piece : pieces.pieces)
    EMEND_RETURN_IF_ERROR(model->Append(pieces.text, piece, tokens));
  return OkStatus();
}

namespace {

constexpr char kJsonName[] = "tokenizer.json";
constexpr char kSentencePieceName[] = "tokenizer.model";
constexpr std::size_t kShownBytesMax = 60;  // of a text, before a token and after it

bool ContinuesCharacter(char byte) { return (static_cast<unsigned char>(byte) & 0xC0) == 0x80; }

// The text around bytes [begin, end), whole characters.
std::string Excerpt(std::string_view text, std::size_t begin, std::size_t end) {
  std::size_t from = begin > kShownBytesMax ? begin - kShownBytesMax : 0;
  while (from > 0 && ContinuesCharacter(text[from])) --from;
  std::size_t to = std::min(text.size(), end + kShownBytesMax);
  while (to < text.size() && ContinuesCharacter(text[to])) ++to;
  return (from > 0 ? "..." : "") + std::string(text.substr(from, to - from)) +
         (to < text.size() ? "..." : "");
}

Status CheckFileSize(std::uint64_t bytes) {
  if (bytes <= Tokenizer::kFileBytesMax) return OkStatus();
  return ResourceExhausted("it has " + std::to_string(bytes) + " bytes; at most " +
                           std::to_string(Tokenizer::kFileBytesMax) + " are allowed");
}

Result<Json> ParseObject(std::string_view text) {
  EMEND_RETURN_IF_ERROR(CheckFileSize(text.size()));
  EMEND_ASSIGN_OR_RETURN(Json json, ParseJson(text));
  if (!json.is_object()) return Node(&json, "the document").Expected("an object");
  return json;
}

Result<std::string> ReadBounded(const std::string& path) {
  PosixFileSystem disk;
  EMEND_ASSIGN_OR_RETURN(const std::uint64_t size, disk.Size(path));
  EMEND_RETURN_IF_ERROR(CheckFileSize(size).WithContext(path));
  return disk.Read(path);
}

}  // namespace

Tokenizer::Tokenizer(std::unique_ptr<const Impl> impl) : impl_(std::move(impl)) {}
Tokenizer::~Tokenizer() = default;

Result<std::unique_ptr<Tokenizer>> Tokenizer::FromJson(std::string_view tokenizer_json) {
  constexpr char kContext[] = "reading tokenizer.json";
  const Result<Json> json = ParseObject(tokenizer_json);
  if (!json.ok()) return json.status().WithContext(kContext);
  Result<std::unique_ptr<const Impl>> impl = Impl::FromJson(Node(&*json, ""));
  if (!impl.ok()) return impl.status().WithContext(kContext);
  return std::unique_ptr<Tokenizer>(new Tokenizer(std::move(impl).value()));
}

Result<std::unique_ptr<Tokenizer>> Tokenizer::FromSentencePiece(const SentencePieceFiles& files) {
  const auto object_of = [](const std::string& text) -> Result<Json> {
    if (text.empty()) return Json::object();
    return ParseObject(text);
  };
  const Result<Json> config = object_of(files.tokenizer_config);
  if (!config.ok()) return config.status().WithContext("reading tokenizer_config.json");
  const Result<Json> added = object_of(files.added_tokens);
  if (!added.ok()) return added.status().WithContext("reading added_tokens.json");
  constexpr char kContext[] = "reading tokenizer.model";
  EMEND_RETURN_IF_ERROR(CheckFileSize(files.model.size()).WithContext(kContext));
  const Result<SentencePieceFile> file = SentencePieceFile::Parse(files.model);
  if (!file.ok()) return file.status().WithContext(kContext);
  Result<std::unique_ptr<const Impl>> impl = Impl::FromPieces(
      *file, Node(&*config, "tokenizer_config.json"), Node(&*added, "added_tokens.json"));
  if (!impl.ok()) return impl.status().WithContext(kContext);
  return std::unique_ptr<Tokenizer>(new Tokenizer(std::move(impl).value()));
}

Result<std::unique_ptr<Tokenizer>> Tokenizer::Open(const std::string& path) {
  EMEND_ASSIGN_OR_RETURN(const std::string bytes, ReadBounded(path));
  Result<std::unique_ptr<Tokenizer>> tokenizer = FromJson(bytes);
  if (!tokenizer.ok()) return tokenizer.status().WithContext(path);
  return tokenizer;
}

Result<std::string> Tokenizer::FileIn(const std::string& folder) {
  PosixFileSystem disk;
  for (const char* name : {kJsonName, kSentencePieceName}) {
    if (disk.Exists(folder + "/" + name)) return std::string(name);
  }
  return NotFound("reading the tokenizer in \"" + folder + "\": it has no " + kJsonName +
                  " and no " + kSentencePieceName + "; expected a folder in Hugging Face layout");
}

Result<std::unique_ptr<Tokenizer>> Tokenizer::OpenFolder(const std::string& folder) {
  EMEND_ASSIGN_OR_RETURN(const std::string name, FileIn(folder));
  if (name == kJsonName) return Open(folder + "/" + name);
  SentencePieceFiles files;
  EMEND_ASSIGN_OR_RETURN(files.model, ReadBounded(folder + "/" + name));
  PosixFileSystem disk;
  for (const auto& [other, bytes] : {std::pair("tokenizer_config.json", &files.tokenizer_config),
                                     std::pair("added_tokens.json", &files.added_tokens)}) {
    const std::string path = folder + "/" + other;
    if (!disk.Exists(path)) continue;
    EMEND_ASSIGN_OR_RETURN(*bytes, ReadBounded(path));
  }
  Result<std::unique_ptr<Tokenizer>> tokenizer = FromSentencePiece(files);
  if (!tokenizer.ok()) return tokenizer.status().WithContext(folder);
  return tokenizer;
}

Result<std::vector<Token>> Tokenizer::Encode(std::string_view text,
                                             SpecialTokens special_tokens) const {
  if (text.size() > kTextBytesMax) {
    return ResourceExhausted("encoding a text of " + std::to_string(text.size()) +
                             " bytes: at most " + std::to_string(kTextBytesMax) + " are allowed");
  }
  if (const auto offset = FirstInvalidUtf8(text)) {
    return InvalidArgument("encoding a text of " + std::to_string(text.size()) +
                           " bytes: it is not UTF-8 at byte " + std::to_string(*offset));
  }
  const bool with_template = special_tokens == SpecialTokens::kWithTemplate;
  std::vector<Token> tokens;
  if (with_template) {
    for (const TokenId id : impl_->special_tokens.before) tokens.push_back({id, 0, 0});
  }
  for (const Segment& segment : impl_->added.CutRaw(text)) {
    const auto begin = static_cast<std::uint32_t>(segment.begin);
    if (segment.id.has_value()) {
      tokens.push_back({*segment.id, begin, static_cast<std::uint32_t>(segment.end)});
    } else {
      EMEND_RETURN_IF_ERROR(impl_->EncodeRaw(
          AlignedText(text.substr(segment.begin, segment.end - segment.begin), begin), &tokens));
    }
  }
  const auto end = static_cast<std::uint32_t>(text.size());
  if (with_template) {
    for (const TokenId id : impl_->special_tokens.behind) tokens.push_back({id, end, end});
  }
  EMEND_RETURN_IF_ERROR(CheckRows(tokens, text));
  return tokens;
}

Status Tokenizer::CheckRows(const std::vector<Token>& tokens, std::string_view text) const {
  const auto found =
      std::ranges::find_if(tokens, [&](const Token& token) { return token.id >= row_count_; });
  if (found == tokens.end()) return OkStatus();
  return {StatusCode::kInvalidArgument, "unknown_token",
          "encoding the text " + JsonQuote(Excerpt(text, found->begin, found->end)) +
              ": it needs the token " + JsonQuote(TokenText(found->id)) + " with the id " +
              std::to_string(found->id) + ", and the model's embedding has only " +
              std::to_string(row_count_) + " rows; " +
              (found->begin == found->end
                   ? "the tokenizer adds it by itself, so that this model can be given no text"
                   : "leave the token out of the text")};
}

std::vector<TokenId> Tokenizer::IdsFrom(std::int64_t row_count) const {
  std::vector<TokenId> ids;
  for (std::int64_t id = row_count; id < vocabulary_size(); ++id) {
    const auto token = static_cast<TokenId>(id);
    if (impl_->model->vocabulary().TextOf(token) != nullptr) ids.push_back(token);
  }
  return ids;
}

std::string Tokenizer::Decode(std::span<const TokenId> ids) const {
  return impl_->decoder.Decode(ids);
}

std::string Tokenizer::TokenText(TokenId id) const {
  return std::string(impl_->decoder.TokenBytes(id));
}

std::int32_t Tokenizer::vocabulary_size() const {
  return static_cast<std::int32_t>(impl_->model->vocabulary().size());
}

std::optional<TokenId> Tokenizer::SpecialToken(std::string_view text) const {
  const auto id = impl_->model->vocabulary().Find(text);
  if (!id.has_value()) return std::nullopt;
  const AddedToken* const token = impl_->added.Find(*id);
  return token != nullptr && token->special ? id : std::nullopt;
}

}  // namespace emend::worker::tokenizer
