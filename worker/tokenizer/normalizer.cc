#include "worker/tokenizer/normalizer.h"

#include <algorithm>
#include <array>
#include <string>
#include <utility>

#include "worker/tokenizer/character_steps.h"
#include "worker/tokenizer/pattern.h"
#include "worker/tokenizer/unicode_form.h"

namespace emend::worker::tokenizer {
namespace {

constexpr std::size_t kNormalizerStepsMax = 16;

class Prepend final : public NormalizerStep {
 public:
  explicit Prepend(std::string text) : text_(std::move(text)) {}

  Result<AlignedText> Apply(AlignedText text) const override {
    if (text.text().empty()) return text;
    AlignedTextBuilder builder(text);
    builder.Replace(0, 0, text_);
    builder.Keep(0, text.text().size());
    return std::move(builder).Build();
  }

 private:
  std::string text_;
};

class Replace final : public NormalizerStep {
 public:
  Replace(Pattern pattern, std::string content)
      : pattern_(std::move(pattern)), content_(std::move(content)) {}

  Result<AlignedText> Apply(AlignedText text) const override {
    EMEND_ASSIGN_OR_RETURN(const std::vector<Match> cuts, pattern_.Cut(text.text()));
    const auto matched = static_cast<std::size_t>(
        std::count_if(cuts.begin(), cuts.end(), [](const Match& cut) { return cut.matched; }));
    EMEND_RETURN_IF_ERROR(CheckNormalizedSize(text.text().size() + matched * content_.size()));
    AlignedTextBuilder builder(text);
    for (const Match& cut : cuts)
      cut.matched ? builder.Replace(cut.begin, cut.end, content_)
                  : builder.Keep(cut.begin, cut.end);
    return std::move(builder).Build();
  }

 private:
  Pattern pattern_;
  std::string content_;
};

Result<NormalizerPointer> MakePrepend(const Node& node) {
  EMEND_ASSIGN_OR_RETURN(std::string text, node["prepend"].Text());
  return NormalizerPointer(std::make_unique<Prepend>(std::move(text)));
}

Result<NormalizerPointer> MakeReplace(const Node& node) {
  EMEND_ASSIGN_OR_RETURN(Pattern pattern, Pattern::FromJson(node["pattern"]));
  EMEND_ASSIGN_OR_RETURN(std::string content, node["content"].Text());
  return NormalizerPointer(std::make_unique<Replace>(std::move(pattern), std::move(content)));
}

constexpr std::array<StepKind<NormalizerStep>, 11> kNormalizers = {{
    {"Lowercase", MakeLowercase},
    {"NFC", MakeNfc},
    {"NFD", MakeNfd},
    {"NFKC", MakeNfkc},
    {"NFKD", MakeNfkd},
    {"Nmt", MakeNmt},
    {"Precompiled", MakePrecompiled},
    {"Prepend", MakePrepend},
    {"Replace", MakeReplace},
    {"Strip", MakeStrip},
    {"StripAccents", MakeStripAccents},
}};

}  // namespace

Status CheckNormalizedSize(std::size_t bytes) {
  if (bytes <= kNormalizedBytesMax) return OkStatus();
  return ResourceExhausted("the normalised text would have " + std::to_string(bytes) +
                           " bytes; at most " + std::to_string(kNormalizedBytesMax) +
                           " are allowed");
}

Result<Normalizer> Normalizer::FromJson(const Node& node) {
  Normalizer normalizer;
  if (!node.IsNull()) EMEND_RETURN_IF_ERROR(normalizer.Add(node, 0));
  return normalizer;
}

Normalizer Normalizer::FromStep(NormalizerPointer step) {
  Normalizer normalizer;
  normalizer.steps_.push_back(std::move(step));
  return normalizer;
}

Status Normalizer::Add(const Node& node, int depth) {
  const Result<std::string> type = node.Type();
  if (!type.ok()) return type.status();
  if (*type != "Sequence") {
    if (steps_.size() == kNormalizerStepsMax)
      return ResourceExhausted(node.path() + ": more than " + std::to_string(kNormalizerStepsMax) +
                               " normalizers");
    EMEND_ASSIGN_OR_RETURN(auto step, MakeStep<NormalizerStep>(kNormalizers, node, *type));
    steps_.push_back(std::move(step));
    return OkStatus();
  }
  if (depth > 0) return BadTokenizer(node.path() + ": a Sequence inside a Sequence");
  EMEND_ASSIGN_OR_RETURN(const std::vector<Node> items,
                         node["normalizers"].Items(kNormalizerStepsMax));
  for (const Node& item : items) EMEND_RETURN_IF_ERROR(Add(item, depth + 1));
  return OkStatus();
}

Result<AlignedText> Normalizer::Apply(AlignedText text) const {
  for (const auto& step : steps_) {
    EMEND_ASSIGN_OR_RETURN(text, step->Apply(std::move(text)));
    EMEND_RETURN_IF_ERROR(CheckNormalizedSize(text.text().size()));
  }
  return text;
}

}  // namespace emend::worker::tokenizer
