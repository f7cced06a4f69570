#include "worker/tokenizer/sentencepiece_rules.h"

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "worker/tokenizer/charsmap.h"
#include "worker/tokenizer/unicode.h"

namespace emend::worker::tokenizer {
namespace {

class SentencePieceRules final : public NormalizerStep {
 public:
  SentencePieceRules(const SentencePieceFile& file, std::optional<Charsmap> charsmap)
      : user_defined_(UserDefinedPieces(file)),
        charsmap_(std::move(charsmap)),
        space_(file.escape_whitespaces ? kEscapedSpace : " "),
        add_dummy_prefix_(file.add_dummy_prefix),
        remove_extra_(file.remove_extra_whitespaces) {}

  Result<AlignedText> Apply(AlignedText source) const override {
    const std::string_view text = source.text();
    std::size_t at = remove_extra_ ? SpacesEnd(text) : 0;
    if (at == text.size()) return source.Part(at, at);
    AlignedTextBuilder builder(source);
    if (add_dummy_prefix_) builder.Replace(at, at, space_);
    for (bool after_space = remove_extra_; at < text.size();) {
      Rewrite rewrite = RewriteAt(text, at);
      while (after_space && rewrite.text.starts_with(' ')) rewrite.text.remove_prefix(1);
      if (!rewrite.text.empty()) {
        Write(text, at, rewrite, &builder);
        after_space = remove_extra_ && rewrite.text.ends_with(' ');
      }
      EMEND_RETURN_IF_ERROR(CheckNormalizedSize(builder.size()));
      at += rewrite.bytes;
    }
    return WithoutSpacesAtEnd(std::move(builder).Build());
  }

 private:
  // The `text` that is written in the place of the first `bytes`.
  struct Rewrite {
    std::size_t bytes = 0;
    std::string_view text;
  };

  Rewrite RewriteAt(std::string_view text, std::size_t at) const {
    const std::string_view rest = text.substr(at);
    const std::size_t kept = user_defined_.LongestPrefix(rest).first;
    if (kept > 0) return {kept, rest.substr(0, kept)};
    if (charsmap_.has_value()) {
      const auto rule = charsmap_->RuleFor(rest, Charsmap::Choice::kLongest);
      if (rule.has_value()) return {rule->bytes, rule->text};
    }
    const std::size_t character = CodePointAt(text, at).size;
    return {character, rest.substr(0, character)};
  }

  // The end of what is nothing but spaces once it is rewritten.
  std::size_t SpacesEnd(std::string_view text) const {
    std::size_t at = 0;
    while (at < text.size()) {
      const Rewrite rewrite = RewriteAt(text, at);
      if (rewrite.text != " ") break;
      at += rewrite.bytes;
    }
    return at;
  }

  void Write(std::string_view text, std::size_t at, const Rewrite& rewrite,
             AlignedTextBuilder* builder) const {
    const std::size_t end = at + rewrite.bytes;
    if (rewrite.text == text.substr(at, rewrite.bytes) &&
        rewrite.text.find(' ') == std::string_view::npos)
      return builder->Keep(at, end);
    std::string written;
    for (const char byte : rewrite.text) {
      if (byte == ' ') {
        written += space_;
      } else {
        written.push_back(byte);
      }
    }
    builder->Replace(at, end, written);
  }

  AlignedText WithoutSpacesAtEnd(AlignedText text) const {
    std::size_t end = text.text().size();
    while (remove_extra_ && text.text().substr(0, end).ends_with(space_)) end -= space_.size();
    return end == text.text().size() ? text : text.Part(0, end);
  }

  PrefixTable user_defined_;
  std::optional<Charsmap> charsmap_;
  std::string space_;
  bool add_dummy_prefix_;
  bool remove_extra_;
};

}  // namespace

PrefixTable UserDefinedPieces(const SentencePieceFile& file) {
  std::vector<std::pair<std::string, std::int32_t>> entries;
  for (std::size_t id = 0; id < file.pieces.size(); ++id) {
    if (file.pieces[id].type == SentencePieceFile::PieceType::kUserDefined)
      entries.emplace_back(file.pieces[id].text, static_cast<std::int32_t>(id));
  }
  return PrefixTable(std::move(entries));
}

Result<NormalizerPointer> MakeSentencePieceRules(const SentencePieceFile& file) {
  std::optional<Charsmap> charsmap;
  if (!file.charsmap.empty()) {
    EMEND_ASSIGN_OR_RETURN(charsmap, Charsmap::FromBytes(file.charsmap));
  }
  return NormalizerPointer(std::make_unique<SentencePieceRules>(file, std::move(charsmap)));
}

}  // namespace emend::worker::tokenizer
