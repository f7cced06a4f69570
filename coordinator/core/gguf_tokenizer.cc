#include "coordinator/core/gguf_tokenizer.h"

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>
#include <optional>
#include <vector>

#include "coordinator/core/gguf_vocabulary.h"
#include "storage/base/log.h"
#include "storage/base/utf8.h"

namespace emend::coordinator::core {
namespace {

using nlohmann::json;
using storage::checkpoint::GgufArray;
using storage::checkpoint::GgufFile;

// Nothing: the file names no such token.
Result<std::optional<std::size_t>> ReadId(const GgufFile& file, const GgufTokens& tokens,
                                          const char* name) {
  EMEND_ASSIGN_OR_RETURN(const auto id, file.Integer(TokenizerKey(name)));
  if (!id) return std::optional<std::size_t>();
  if (static_cast<std::uint64_t>(*id) < tokens.texts.size())
    return std::optional(static_cast<std::size_t>(*id));
  return file.BadValue(TokenizerKey(name), "found " + std::to_string(*id) + ", and there are " +
                                               std::to_string(tokens.texts.size()) + " tokens");
}

// How a text is cut before the merges of a byte-level model, by the name that llama.cpp gives it.
struct SplitForm {
  std::string_view name;
  const char* pattern = nullptr;  // null: GPT-2's
  bool lone_digits = false;       // cut first
  bool composed = false;          // NFC
  bool whole_words = false;       // a word that is a token is not merged
  bool begins = false;            // a text begins with bos unless the file says otherwise
};

constexpr char kLlama3Split[] =
    R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)";
constexpr char kQwen2Split[] =
    R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)";
constexpr char kTekkenSplit[] =
    R"([^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+)";

constexpr auto kSplitForms = std::to_array<SplitForm>({
    {.name = "gpt-2"},
    {.name = "smollm", .lone_digits = true},
    {.name = "starcoder", .lone_digits = true},
    {.name = "refact", .lone_digits = true},
    {.name = "llama-bpe", .pattern = kLlama3Split, .whole_words = true, .begins = true},
    {.name = "qwen2", .pattern = kQwen2Split, .composed = true},
    {.name = "tekken", .pattern = kTekkenSplit, .whole_words = true, .begins = true},
});

Result<const SplitForm*> FindSplitForm(const GgufFile& file) {
  EMEND_ASSIGN_OR_RETURN(const auto name, file.Text(TokenizerKey("pre")));
  std::string known;
  for (const SplitForm& form : kSplitForms) {
    if (name == form.name) return &form;
    known += (known.empty() ? "" : ", ") + std::string(form.name);
  }
  return Status(StatusCode::kUnsupported, "unknown_tokenizer",
                "converting the GGUF file \"" + file.name() + "\": found the pre-tokenizer " +
                    JsonQuote(name.value_or("")) + ", expected one of " + known);
}

json ByteLevelStep(bool add_prefix_space, bool use_regex) {
  return {{"type", "ByteLevel"},
          {"add_prefix_space", add_prefix_space},
          {"trim_offsets", true},
          {"use_regex", use_regex}};
}

json PreTokenizerOf(const SplitForm& form, bool add_prefix_space) {
  json steps = json::array();
  if (form.lone_digits) steps.push_back({{"type", "Digits"}, {"individual_digits", true}});
  if (form.pattern != nullptr) {
    steps.push_back({{"type", "Split"},
                     {"pattern", {{"Regex", form.pattern}}},
                     {"behavior", "Isolated"},
                     {"invert", false}});
  }
  steps.push_back(ByteLevelStep(add_prefix_space, form.pattern == nullptr));
  return {{"type", "Sequence"}, {"pretokenizers", std::move(steps)}};
}

// What both kinds of models are filled from.
struct Pipeline {
  json normalizer, pre_tokenizer, decoder;
  json model = {{"type", "BPE"},
                {"dropout", nullptr},
                {"unk_token", nullptr},
                {"continuing_subword_prefix", nullptr},
                {"end_of_word_suffix", nullptr},
                {"fuse_unk", false},
                {"byte_fallback", false},
                {"ignore_merges", false}};
  bool begins = false;  // with bos, unless the file says otherwise
};

Result<Pipeline> ByteLevelPipeline(const GgufFile& file) {
  EMEND_ASSIGN_OR_RETURN(const SplitForm* const form, FindSplitForm(file));
  EMEND_ASSIGN_OR_RETURN(const auto add_prefix_space, file.Flag(TokenizerKey("add_space_prefix")));
  const std::string key = TokenizerKey("merges");
  EMEND_ASSIGN_OR_RETURN(const GgufArray* const merges, file.Array(key));
  if (merges == nullptr) return file.BadValue(key, "it is not there");
  Pipeline pipeline;
  pipeline.begins = form->begins;
  if (form->composed) pipeline.normalizer = {{"type", "NFC"}};
  pipeline.pre_tokenizer = PreTokenizerOf(*form, add_prefix_space.value_or(false));
  pipeline.decoder = ByteLevelStep(true, true);
  pipeline.model["ignore_merges"] = form->whole_words;
  json& pairs = pipeline.model["merges"] = json::array();
  for (const std::string_view merge : merges->texts) {
    const std::size_t space = merge.find(' ', 1);
    if (space == std::string_view::npos || FirstInvalidUtf8(merge))
      return file.BadValue(key, JsonQuote(Shortened(merge)) + " is not two tokens");
    pairs.push_back({merge.substr(0, space), merge.substr(space + 1)});
  }
  return pipeline;
}

Result<Pipeline> SentencePiecePipeline(const GgufFile& file, const GgufTokens& tokens) {
  EMEND_ASSIGN_OR_RETURN(const std::vector<GgufMerge> merges, MergesByScore(file, tokens));
  EMEND_ASSIGN_OR_RETURN(std::optional<std::size_t> unknown,
                         ReadId(file, tokens, "unknown_token_id"));
  EMEND_ASSIGN_OR_RETURN(const auto add_prefix_space, file.Flag(TokenizerKey("add_space_prefix")));
  Pipeline pipeline;
  pipeline.begins = true;
  json steps = json::array();
  json decoders = {{{"type", "Replace"}, {"pattern", {{"String", kPieceSpace}}}, {"content", " "}},
                   {{"type", "ByteFallback"}},
                   {{"type", "Fuse"}}};
  if (add_prefix_space.value_or(true)) {
    steps.push_back({{"type", "Prepend"}, {"prepend", kPieceSpace}});
    decoders.push_back({{"type", "Strip"}, {"content", " "}, {"start", 1}, {"stop", 0}});
  }
  steps.push_back({{"type", "Replace"}, {"pattern", {{"String", " "}}}, {"content", kPieceSpace}});
  pipeline.normalizer = {{"type", "Sequence"}, {"normalizers", std::move(steps)}};
  pipeline.decoder = {{"type", "Sequence"}, {"decoders", std::move(decoders)}};
  const auto first = std::ranges::find(tokens.kinds, GgufTokenKind::kUnknown);
  if (!unknown && first != tokens.kinds.end())
    unknown = static_cast<std::size_t>(first - tokens.kinds.begin());
  if (unknown) pipeline.model["unk_token"] = tokens.texts[*unknown];
  pipeline.model["fuse_unk"] = true;
  pipeline.model["byte_fallback"] = true;
  json& pairs = pipeline.model["merges"] = json::array();
  for (const GgufMerge& merge : merges)
    pairs.push_back({tokens.texts[merge.left], tokens.texts[merge.right]});
  return pipeline;
}

// Tokens that are looked for before anything else is done with a text. Pieces with a space are made
// by merges, before all others: as the text is then, they would not be found in it.
json AddedTokensOf(const GgufTokens& tokens) {
  json added = json::array();
  for (std::size_t id = 0; id < tokens.texts.size(); ++id) {
    const GgufTokenKind kind = tokens.kinds[id];
    const bool is_special = kind == GgufTokenKind::kControl || kind == GgufTokenKind::kUnknown;
    const bool is_given =
        kind == GgufTokenKind::kGiven && tokens.texts[id].find(kPieceSpace) == std::string::npos;
    if (!is_special && !is_given) continue;
    added.push_back({{"id", id},
                     {"content", tokens.texts[id]},
                     {"single_word", false},
                     {"lstrip", false},
                     {"rstrip", false},
                     {"normalized", false},
                     {"special", is_special}});
  }
  return added;
}

// The special tokens that a file names.
struct Specials {
  std::optional<std::size_t> bos, eos, unknown, padding;
  std::vector<std::size_t> ends;  // of a text
  bool add_bos = false, add_eos = false;
};

Result<Specials> ReadSpecials(const GgufFile& file, const GgufTokens& tokens, bool begins) {
  Specials specials;
  EMEND_ASSIGN_OR_RETURN(specials.bos, ReadId(file, tokens, "bos_token_id"));
  EMEND_ASSIGN_OR_RETURN(specials.eos, ReadId(file, tokens, "eos_token_id"));
  EMEND_ASSIGN_OR_RETURN(specials.unknown, ReadId(file, tokens, "unknown_token_id"));
  EMEND_ASSIGN_OR_RETURN(specials.padding, ReadId(file, tokens, "padding_token_id"));
  for (const char* name : {"eos_token_id", "eot_token_id", "eom_token_id"}) {
    EMEND_ASSIGN_OR_RETURN(const auto end, ReadId(file, tokens, name));
    if (end && std::ranges::find(specials.ends, *end) == specials.ends.end())
      specials.ends.push_back(*end);
  }
  EMEND_ASSIGN_OR_RETURN(const auto add_bos, file.Flag(TokenizerKey("add_bos_token")));
  EMEND_ASSIGN_OR_RETURN(const auto add_eos, file.Flag(TokenizerKey("add_eos_token")));
  if (add_bos.value_or(false) && !specials.bos)
    return file.BadValue(TokenizerKey("add_bos_token"), "no bos_token_id is there");
  if (add_eos.value_or(false) && !specials.eos)
    return file.BadValue(TokenizerKey("add_eos_token"), "no eos_token_id is there");
  specials.add_bos = add_bos.value_or(begins) && specials.bos;
  specials.add_eos = add_eos.value_or(false);
  return specials;
}

// Null: a text gets no special tokens.
json PostProcessorOf(const GgufTokens& tokens, const Specials& specials) {
  json single = json::array();
  json second = json::array();
  json known = json::object();
  const auto add = [&](bool adds, std::optional<std::size_t> id) {
    if (!adds) return;
    const std::string& text = tokens.texts[*id];
    single.push_back({{"SpecialToken", {{"id", text}, {"type_id", 0}}}});
    second.push_back({{"SpecialToken", {{"id", text}, {"type_id", 1}}}});
    known[text] = {{"id", text}, {"ids", json::array({*id})}, {"tokens", json::array({text})}};
  };
  add(specials.add_bos, specials.bos);
  single.push_back({{"Sequence", {{"id", "A"}, {"type_id", 0}}}});
  second.push_back({{"Sequence", {{"id", "B"}, {"type_id", 1}}}});
  add(specials.add_eos, specials.eos);
  if (known.empty()) return nullptr;
  json pair = single;
  pair.insert(pair.end(), second.begin(), second.end());
  return {{"type", "TemplateProcessing"},
          {"single", std::move(single)},
          {"pair", std::move(pair)},
          {"special_tokens", std::move(known)}};
}

std::string Dump(const json& document) { return document.dump() + "\n"; }

Result<std::string> TokenizerConfigOf(const GgufFile& file, const GgufTokens& tokens,
                                      const Specials& specials) {
  json config = {{"tokenizer_class", "PreTrainedTokenizerFast"},
                 {"clean_up_tokenization_spaces", false},
                 {"add_bos_token", specials.add_bos},
                 {"add_eos_token", specials.add_eos}};
  for (const auto& [name, id] : {std::pair("bos_token", specials.bos),
                                 {"eos_token", specials.eos},
                                 {"unk_token", specials.unknown},
                                 {"pad_token", specials.padding}}) {
    if (id) config[name] = tokens.texts[*id];
  }
  EMEND_ASSIGN_OR_RETURN(const auto chat_template, file.Text("tokenizer.chat_template"));
  if (chat_template) config["chat_template"] = *chat_template;
  return Dump(config);
}

}  // namespace

Result<GgufTokenizer> ConvertTokenizer(const GgufFile& file) {
  EMEND_ASSIGN_OR_RETURN(const auto model, file.Text(TokenizerKey("model")));
  if (model != "gpt2" && model != "llama") {
    return Status(StatusCode::kUnsupported, "unknown_tokenizer",
                  "converting the GGUF file \"" + file.name() + "\": found a tokenizer " +
                      JsonQuote(model.value_or("")) + ", expected \"gpt2\" or \"llama\"");
  }
  const bool has_pieces = model == "llama";
  EMEND_ASSIGN_OR_RETURN(
      const GgufTokens tokens,
      ReadGgufTokens(file, has_pieces ? GgufTexts::kPieces : GgufTexts::kAsTheyAre));
  EMEND_ASSIGN_OR_RETURN(Pipeline pipeline, has_pieces ? SentencePiecePipeline(file, tokens)
                                                       : ByteLevelPipeline(file));
  EMEND_ASSIGN_OR_RETURN(const Specials specials, ReadSpecials(file, tokens, pipeline.begins));
  json& vocabulary = pipeline.model["vocab"] = json::object();
  for (std::size_t id = 0; id < tokens.texts.size(); ++id) vocabulary[tokens.texts[id]] = id;
  GgufTokenizer files;
  files.tokenizer = Dump({{"version", "1.0"},
                          {"truncation", nullptr},
                          {"padding", nullptr},
                          {"added_tokens", AddedTokensOf(tokens)},
                          {"normalizer", std::move(pipeline.normalizer)},
                          {"pre_tokenizer", std::move(pipeline.pre_tokenizer)},
                          {"post_processor", PostProcessorOf(tokens, specials)},
                          {"decoder", std::move(pipeline.decoder)},
                          {"model", std::move(pipeline.model)}});
  EMEND_ASSIGN_OR_RETURN(files.tokenizer_config, TokenizerConfigOf(file, tokens, specials));
  if (specials.ends.empty()) return files;
  json generation = {{"eos_token_id", specials.ends}};
  if (specials.bos) generation["bos_token_id"] = *specials.bos;
  if (specials.padding) generation["pad_token_id"] = *specials.padding;
  files.generation_config = Dump(generation);
  return files;
}

}  // namespace emend::coordinator::core
