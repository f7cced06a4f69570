#include "worker/tokenizer/normalizer.h"

#include <utf8proc.h>

#include <algorithm>
#include <cstdlib>
#include <optional>
#include <string>
#include <utility>

#include "worker/tokenizer/pattern.h"
#include "worker/tokenizer/unicode.h"

namespace emend::worker::tokenizer {
namespace {

constexpr std::size_t kNormalizerStepsMax = 16;
constexpr char kNormalizersKnown[] = "NFC, NFD, NFKC, NFKD, Prepend, Replace, Sequence";

Status CheckSize(std::size_t bytes) {
  if (bytes <= kNormalizedBytesMax) return OkStatus();
  return ResourceExhausted("the normalised text would have " + std::to_string(bytes) +
                           " bytes; at most " + std::to_string(kNormalizedBytesMax) +
                           " are allowed");
}

class UnicodeForm final : public NormalizerStep {
 public:
  explicit UnicodeForm(int options)
      : options_(static_cast<utf8proc_option_t>(options | UTF8PROC_STABLE)) {}

  Result<AlignedText> Apply(AlignedText text) const override {
    if (Normalized(text.text()) == text.text()) return text;
    return Rewrite(text);
  }

 private:
  std::string Normalized(std::string_view text) const {
    utf8proc_uint8_t* mapped = nullptr;
    const auto* bytes = reinterpret_cast<const utf8proc_uint8_t*>(text.data());
    const utf8proc_ssize_t size =
        utf8proc_map(bytes, static_cast<utf8proc_ssize_t>(text.size()), &mapped, options_);
    EMEND_CHECK(size >= 0, "utf8proc refused text that was checked as UTF-8");
    std::string normalized(reinterpret_cast<const char*>(mapped), static_cast<std::size_t>(size));
    std::free(mapped);  // NOLINT: utf8proc allocates with malloc
    return normalized;
  }

  // Goes from one group of characters that normalise together to the next, so that a span never
  // covers more than such a group.
  AlignedText Rewrite(const AlignedText& source) const {
    const std::string_view text = source.text();
    AlignedTextBuilder builder(source);
    std::size_t begin = 0;
    std::size_t end = ClusterEnd(text, 0);
    while (begin < text.size()) {
      const std::string group = Normalized(text.substr(begin, end - begin));
      const std::size_t next = ClusterEnd(text, end);
      const bool joins = next > end && Normalized(text.substr(begin, next - begin)) !=
                                           group + Normalized(text.substr(end, next - end));
      if (!joins) {
        const bool unchanged = group == text.substr(begin, end - begin);
        unchanged ? builder.Keep(begin, end) : builder.Replace(begin, end, group);
        begin = end;
      }
      end = next;
    }
    return std::move(builder).Build();
  }

  // The end of the character at `at` and of the combining marks behind it.
  static std::size_t ClusterEnd(std::string_view text, std::size_t at) {
    if (at >= text.size()) return at;
    at += CodePointAt(text, at).size;
    while (at < text.size()) {
      const CodePoint next = CodePointAt(text, at);
      if (utf8proc_get_property(static_cast<utf8proc_int32_t>(next.value))->combining_class == 0)
        break;
      at += next.size;
    }
    return at;
  }

  utf8proc_option_t options_;
};

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
    EMEND_RETURN_IF_ERROR(CheckSize(text.text().size() + matched * content_.size()));
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

std::optional<int> UnicodeOptions(std::string_view type) {
  if (type == "NFC") return UTF8PROC_COMPOSE;
  if (type == "NFD") return UTF8PROC_DECOMPOSE;
  if (type == "NFKC") return UTF8PROC_COMPOSE | UTF8PROC_COMPAT;
  if (type == "NFKD") return UTF8PROC_DECOMPOSE | UTF8PROC_COMPAT;
  return std::nullopt;
}

Result<std::unique_ptr<const NormalizerStep>> MakeNormalizerStep(const Node& node,
                                                                 std::string_view type) {
  if (const auto options = UnicodeOptions(type))
    return std::unique_ptr<const NormalizerStep>(std::make_unique<UnicodeForm>(*options));
  if (type == "Prepend") {
    EMEND_ASSIGN_OR_RETURN(std::string text, node["prepend"].Text());
    return std::unique_ptr<const NormalizerStep>(std::make_unique<Prepend>(std::move(text)));
  }
  if (type == "Replace") {
    EMEND_ASSIGN_OR_RETURN(Pattern pattern, Pattern::FromJson(node["pattern"]));
    EMEND_ASSIGN_OR_RETURN(std::string content, node["content"].Text());
    return std::unique_ptr<const NormalizerStep>(
        std::make_unique<Replace>(std::move(pattern), std::move(content)));
  }
  return node.UnknownType(type, kNormalizersKnown);
}

}  // namespace

Result<Normalizer> Normalizer::FromJson(const Node& node) {
  Normalizer normalizer;
  if (!node.IsNull()) EMEND_RETURN_IF_ERROR(normalizer.Add(node, 0));
  return normalizer;
}

Status Normalizer::Add(const Node& node, int depth) {
  const Result<std::string> type = node.Type();
  if (!type.ok()) return type.status();
  if (*type != "Sequence") {
    if (steps_.size() == kNormalizerStepsMax)
      return ResourceExhausted(node.path() + ": more than " + std::to_string(kNormalizerStepsMax) +
                               " normalizers");
    EMEND_ASSIGN_OR_RETURN(auto step, MakeNormalizerStep(node, *type));
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
    EMEND_RETURN_IF_ERROR(CheckSize(text.text().size()));
  }
  return text;
}

}  // namespace emend::worker::tokenizer
