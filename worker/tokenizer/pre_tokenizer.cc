#include "worker/tokenizer/pre_tokenizer.h"

#include <string>
#include <string_view>
#include <utility>

#include "worker/tokenizer/pre_tokenizer_steps.h"

namespace emend::worker::tokenizer {
namespace {

constexpr std::size_t kPreTokenizerStepsMax = 16;
constexpr char kPreTokenizersKnown[] = "ByteLevel, Digits, Metaspace, Sequence, Split";

Result<std::unique_ptr<const PreTokenizerStep>> MakePreTokenizerStep(const Node& node,
                                                                     std::string_view type) {
  if (type == "ByteLevel") return MakeByteLevelStep(node);
  if (type == "Split") return MakeSplitStep(node);
  if (type == "Digits") return MakeDigitsStep(node);
  if (type == "Metaspace") return MakeMetaspaceStep(node);
  return node.UnknownType(type, kPreTokenizersKnown);
}

}  // namespace

Result<PreTokenizer> PreTokenizer::FromJson(const Node& node) {
  PreTokenizer pre_tokenizer;
  if (!node.IsNull()) EMEND_RETURN_IF_ERROR(pre_tokenizer.Add(node, 0));
  return pre_tokenizer;
}

Status PreTokenizer::Add(const Node& node, int depth) {
  EMEND_ASSIGN_OR_RETURN(const std::string type, node.Type());
  if (type != "Sequence") {
    if (steps_.size() == kPreTokenizerStepsMax)
      return ResourceExhausted(node.path() + ": more than " +
                               std::to_string(kPreTokenizerStepsMax) + " pre-tokenizers");
    if (byte_level_)
      return Unsupported(node.path() + ": a pre-tokenizer behind ByteLevel is not supported");
    EMEND_ASSIGN_OR_RETURN(auto step, MakePreTokenizerStep(node, type));
    steps_.push_back(std::move(step));
    byte_level_ = type == "ByteLevel";
    return OkStatus();
  }
  if (depth > 0) return BadTokenizer(node.path() + ": a Sequence inside a Sequence");
  EMEND_ASSIGN_OR_RETURN(const std::vector<Node> items,
                         node["pretokenizers"].Items(kPreTokenizerStepsMax));
  for (const Node& item : items) EMEND_RETURN_IF_ERROR(Add(item, depth + 1));
  return OkStatus();
}

Result<Pieces> PreTokenizer::Apply(AlignedText text) const {
  Pieces pieces{.text = std::move(text), .pieces = {}};
  if (pieces.text.text().empty()) return pieces;
  pieces.pieces.push_back({0, pieces.text.text().size()});
  for (const auto& step : steps_) EMEND_RETURN_IF_ERROR(step->Apply(&pieces));
  return pieces;
}

}  // namespace emend::worker::tokenizer
