#include "worker/tokenizer/post_processor.h"

#include <string>

#include "storage/base/log.h"

namespace emend::worker::tokenizer {
namespace {

constexpr std::size_t kItemsMax = 64;
constexpr char kPostProcessorsKnown[] = "ByteLevel, Sequence, TemplateProcessing";

Status AppendIds(const Node& special_tokens, const std::string& name, const Vocabulary& vocabulary,
                 std::vector<TokenId>* ids) {
  EMEND_ASSIGN_OR_RETURN(const std::vector<Node> items,
                         special_tokens[name.c_str()]["ids"].Items(kItemsMax));
  if (items.empty())
    return BadTokenizer(special_tokens.path() + ": has no ids for " + JsonQuote(name) +
                        ", which the template names");
  for (const Node& item : items) {
    EMEND_ASSIGN_OR_RETURN(const std::int64_t id, item.Integer(kVocabularyMax));
    if (vocabulary.TextOf(static_cast<TokenId>(id)) == nullptr) {
      return BadTokenizer(item.path() + ": the id " + std::to_string(id) +
                          " is not in the vocabulary");
    }
    ids->push_back(static_cast<TokenId>(id));
  }
  return OkStatus();
}

Status ReadSingle(const Node& node, const Vocabulary& vocabulary, Template* result) {
  EMEND_ASSIGN_OR_RETURN(const std::vector<Node> items, node["single"].Items(kItemsMax));
  bool behind = false;
  for (const Node& item : items) {
    if (!item["Sequence"].IsNull()) {
      if (behind) return BadTokenizer(item.path() + ": the template names the text twice");
      behind = true;
      continue;
    }
    EMEND_ASSIGN_OR_RETURN(const std::string name, item["SpecialToken"]["id"].Text());
    EMEND_RETURN_IF_ERROR(AppendIds(node["special_tokens"], name, vocabulary,
                                    behind ? &result->behind : &result->before));
  }
  if (!behind) return BadTokenizer(node.path() + ".single: the template does not name the text");
  return OkStatus();
}

Status Add(const Node& node, const Vocabulary& vocabulary, int depth, Template* result) {
  EMEND_ASSIGN_OR_RETURN(const std::string type, node.Type());
  if (type == "ByteLevel") return OkStatus();
  if (type == "TemplateProcessing") {
    if (!result->before.empty() || !result->behind.empty())
      return Unsupported(node.path() + ": a second TemplateProcessing is not supported");
    return ReadSingle(node, vocabulary, result);
  }
  if (type != "Sequence") return node.UnknownType(type, kPostProcessorsKnown);
  if (depth > 0) return BadTokenizer(node.path() + ": a Sequence inside a Sequence");
  EMEND_ASSIGN_OR_RETURN(const std::vector<Node> items, node["processors"].Items(kItemsMax));
  for (const Node& item : items) EMEND_RETURN_IF_ERROR(Add(item, vocabulary, depth + 1, result));
  return OkStatus();
}

}  // namespace

Result<Template> ReadTemplate(const Node& node, const Vocabulary& vocabulary) {
  Template result;
  if (!node.IsNull()) EMEND_RETURN_IF_ERROR(Add(node, vocabulary, 0, &result));
  return result;
}

}  // namespace emend::worker::tokenizer
