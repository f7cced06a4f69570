#include "worker/tokenizer/sentencepiece_json.h"

#include <charconv>
#include <map>
#include <optional>
#include <string>

#include "storage/base/log.h"
#include "worker/tokenizer/vocabulary.h"

namespace emend::worker::tokenizer {
namespace {

using PieceType = SentencePieceFile::PieceType;

Json SpecialOf(TokenId id, const std::string& text) {
  return {{"id", id}, {"content", text}, {"special", true}, {"normalized", false}};
}

// An element of "added_tokens_decoder": its key is the id. What is added is found in the text as it
// comes, whatever the file says: as SentencePiece does with its own.
Result<Json> AddedTokenOf(const Node& tokens, const std::string& key) {
  TokenId id = -1;
  const auto read = std::from_chars(key.data(), key.data() + key.size(), id);
  if (read.ec != std::errc() || read.ptr != key.data() + key.size() || id < 0)
    return BadTokenizer(tokens.path() + ": the key " + JsonQuote(key) + " is no id");
  Json token = tokens.json().at(key);
  if (!token.is_object()) return tokens[key.c_str()].Expected("an object");
  token["id"] = id;
  token["normalized"] = false;
  return token;
}

// By id. A later source says more of a token than an earlier one.
Result<Json> AddedTokensOf(const SentencePieceFile& file, const Node& config, const Node& added) {
  std::map<TokenId, Json> tokens;
  for (std::size_t i = 0; i < file.pieces.size(); ++i) {
    const PieceType type = file.pieces[i].type;
    const auto id = static_cast<TokenId>(i);
    if (type == PieceType::kControl || type == PieceType::kUnknown)
      tokens[id] = SpecialOf(id, file.pieces[i].text);
  }
  if (!added.IsNull() && !added.json().is_object()) return added.Expected("an object");
  if (!added.IsNull()) {
    for (const auto& [text, value] : added.json().items()) {
      EMEND_ASSIGN_OR_RETURN(const std::int64_t id,
                             Node(&value, added.path() + " " + JsonQuote(text))
                                 .Integer(static_cast<std::int64_t>(kVocabularyMax)));
      tokens[static_cast<TokenId>(id)] = SpecialOf(static_cast<TokenId>(id), text);
    }
  }
  const Node decoder = config["added_tokens_decoder"];
  if (!decoder.IsNull() && !decoder.json().is_object()) return decoder.Expected("an object");
  if (!decoder.IsNull()) {
    for (const auto& [key, value] : decoder.json().items()) {
      EMEND_ASSIGN_OR_RETURN(const Json token, AddedTokenOf(decoder, key));
      tokens[token["id"].get<TokenId>()] = token;
    }
  }
  Json list = Json::array();
  for (auto& [id, token] : tokens) list.push_back(std::move(token));
  return list;
}

Json DecoderOf(const SentencePieceFile& file) {
  Json steps = Json::array();
  if (file.escape_whitespaces)
    steps.push_back(
        {{"type", "Replace"}, {"pattern", {{"String", kEscapedSpace}}}, {"content", " "}});
  steps.push_back({{"type", "ByteFallback"}});
  steps.push_back({{"type", "Fuse"}});
  if (file.add_dummy_prefix || file.remove_extra_whitespaces)
    steps.push_back({{"type", "Strip"}, {"content", " "}, {"start", 1}, {"stop", 0}});
  return {{"type", "Sequence"}, {"decoders", steps}};
}

// The control piece that stands at an end of each text, if the config wants it; `if_null` where it
// says nothing.
Result<std::optional<TokenId>> EndPiece(const SentencePieceFile& file, const std::string& text,
                                        const Node& flag, std::optional<TokenId> if_null) {
  if (flag.IsNull()) return if_null;
  EMEND_ASSIGN_OR_RETURN(const bool wanted, flag.Flag(false));
  if (!wanted) return std::optional<TokenId>();
  const std::optional<TokenId> id = file.ControlPiece(text);
  if (!id.has_value())
    return BadTokenizer(flag.path() + ": is true, and tokenizer.model has no control piece " +
                        JsonQuote(text));
  return id;
}

Result<Json> PostProcessorOf(const SentencePieceFile& file, const Node& config) {
  EMEND_ASSIGN_OR_RETURN(const auto bos, EndPiece(file, file.bos_piece, config["add_bos_token"],
                                                  file.ControlPiece(file.bos_piece)));
  EMEND_ASSIGN_OR_RETURN(const auto eos,
                         EndPiece(file, file.eos_piece, config["add_eos_token"], std::nullopt));
  Json single = Json::array();
  if (bos.has_value()) single.push_back({{"SpecialToken", {{"id", "bos"}}}});
  single.push_back({{"Sequence", {{"id", "A"}}}});
  if (eos.has_value()) single.push_back({{"SpecialToken", {{"id", "eos"}}}});
  Json special = Json::object();
  if (bos.has_value()) special["bos"]["ids"] = Json::array({*bos});
  if (eos.has_value()) special["eos"]["ids"] = Json::array({*eos});
  return Json{{"type", "TemplateProcessing"}, {"single", single}, {"special_tokens", special}};
}

}  // namespace

Result<Json> SentencePieceJson(const SentencePieceFile& file, const Node& config,
                               const Node& added) {
  Json json;
  EMEND_ASSIGN_OR_RETURN(json["added_tokens"], AddedTokensOf(file, config, added));
  EMEND_ASSIGN_OR_RETURN(json["post_processor"], PostProcessorOf(file, config));
  json["decoder"] = DecoderOf(file);
  return json;
}

}  // namespace emend::worker::tokenizer
