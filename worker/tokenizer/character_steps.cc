#include "worker/tokenizer/character_steps.h"

#include <utf8proc.h>

#include <algorithm>
#include <string>
#include <string_view>
#include <utility>

#include "worker/tokenizer/charsmap.h"
#include "worker/tokenizer/unicode.h"

namespace emend::worker::tokenizer {
namespace {

// Writes what stands for one character, or nothing to drop it.
using WriteCharacter = void (*)(char32_t character, std::string* written);

class EachCharacter final : public NormalizerStep {
 public:
  explicit EachCharacter(WriteCharacter write) : write_(write) {}

  Result<AlignedText> Apply(AlignedText text) const override {
    AlignedTextBuilder builder(text);
    std::string written;
    const std::string_view bytes = text.text();
    for (std::size_t at = 0; at < bytes.size();) {
      const CodePoint character = CodePointAt(bytes, at);
      const std::size_t end = at + character.size;
      written.clear();
      write_(character.value, &written);
      written == bytes.substr(at, character.size) ? builder.Keep(at, end)
                                                  : builder.Replace(at, end, written);
      at = end;
    }
    return std::move(builder).Build();
  }

 private:
  WriteCharacter write_;
};

void WriteLowercase(char32_t character, std::string* written) {
  // the one character whose lower case is two, whatever stands beside it
  constexpr char32_t kCapitalIWithDot = 0x130;
  if (character == kCapitalIWithDot) {
    written->append("i\u0307");
  } else {
    AppendUtf8(static_cast<char32_t>(utf8proc_tolower(static_cast<utf8proc_int32_t>(character))),
               written);
  }
}

void WriteUnlessMark(char32_t character, std::string* written) {
  if (!IsMark(character)) AppendUtf8(character, written);
}

// What SentencePiece's rules for machine translation do with controls and with spaces of all kinds.
void WriteNmt(char32_t character, std::string* written) {
  switch (character) {
    case '\t':
    case '\n':
    case '\f':
    case '\r':
    case 0x1680:
    case 0x200b:
    case 0x200c:
    case 0x200d:
    case 0x200e:
    case 0x200f:
    case 0x2028:
    case 0x2029:
    case 0x2581:
    case 0xfeff:
    case 0xfffd: written->push_back(' '); return;
    case 0x7f:
    case 0x8f:
    case 0x9f: return;
    default:
      if (character == 0 || character >= ' ') AppendUtf8(character, written);
  }
}

class StripWhitespace final : public NormalizerStep {
 public:
  StripWhitespace(bool left, bool right) : left_(left), right_(right) {}

  Result<AlignedText> Apply(AlignedText text) const override {
    const std::string_view bytes = text.text();
    std::size_t begin = 0;
    std::size_t end = bytes.size();
    while (left_ && begin < end && IsWhitespace(CodePointAt(bytes, begin).value))
      begin += CodePointAt(bytes, begin).size;
    while (right_ && end > begin && IsWhitespace(CodePointBefore(bytes, end).value))
      end -= CodePointBefore(bytes, end).size;
    return text.Part(begin, end);
  }

 private:
  bool left_;
  bool right_;
};

// As the reference reads SentencePiece's rules: the shortest one for the first characters of a
// short grapheme stands for all of it, else each character has its own.
class Precompiled final : public NormalizerStep {
 public:
  explicit Precompiled(Charsmap charsmap) : charsmap_(std::move(charsmap)) {}

  Result<AlignedText> Apply(AlignedText text) const override {
    AlignedTextBuilder builder(text);
    const std::string_view bytes = text.text();
    for (std::size_t at = 0; at < bytes.size();) {
      const std::size_t end = GraphemeEnd(bytes, at);
      if (end - at > kShortGraphemeBytes || !Rewrite(bytes, at, end, &builder)) {
        while (at < end) {
          const std::size_t next = at + CodePointAt(bytes, at).size;
          if (!Rewrite(bytes, at, next, &builder)) builder.Keep(at, next);
          at = next;
        }
      }
      EMEND_RETURN_IF_ERROR(CheckNormalizedSize(builder.size()));
      at = end;
    }
    return std::move(builder).Build();
  }

 private:
  static constexpr std::size_t kShortGraphemeBytes = 5;

  static std::size_t GraphemeEnd(std::string_view text, std::size_t at) {
    utf8proc_int32_t state = 0;
    CodePoint character = CodePointAt(text, at);
    at += character.size;
    while (at < text.size()) {
      const CodePoint next = CodePointAt(text, at);
      if (utf8proc_grapheme_break_stateful(static_cast<utf8proc_int32_t>(character.value),
                                           static_cast<utf8proc_int32_t>(next.value), &state))
        break;
      character = next;
      at += next.size;
    }
    return at;
  }

  bool Rewrite(std::string_view text, std::size_t begin, std::size_t end,
               AlignedTextBuilder* builder) const {
    const auto rule =
        charsmap_.RuleFor(text.substr(begin, end - begin), Charsmap::Choice::kShortest);
    if (rule.has_value()) builder->Replace(begin, end, rule->text);
    return rule.has_value();
  }

  Charsmap charsmap_;
};

Result<NormalizerPointer> MakeEachCharacter(WriteCharacter write) {
  return NormalizerPointer(std::make_unique<EachCharacter>(write));
}

}  // namespace

Result<NormalizerPointer> MakeLowercase(const Node&) { return MakeEachCharacter(WriteLowercase); }

Result<NormalizerPointer> MakeNmt(const Node&) { return MakeEachCharacter(WriteNmt); }

Result<NormalizerPointer> MakeStripAccents(const Node&) {
  return MakeEachCharacter(WriteUnlessMark);
}

Result<NormalizerPointer> MakeStrip(const Node& node) {
  EMEND_ASSIGN_OR_RETURN(const bool left, node["strip_left"].Flag(true));
  EMEND_ASSIGN_OR_RETURN(const bool right, node["strip_right"].Flag(true));
  return NormalizerPointer(std::make_unique<StripWhitespace>(left, right));
}

Result<NormalizerPointer> MakePrecompiled(const Node& node) {
  const Node map = node["precompiled_charsmap"];
  EMEND_ASSIGN_OR_RETURN(const std::string base64, map.Text());
  Result<Charsmap> charsmap = Charsmap::FromBase64(base64);
  if (!charsmap.ok()) return charsmap.status().WithContext(map.path());
  return NormalizerPointer(std::make_unique<Precompiled>(std::move(charsmap).value()));
}

}  // namespace emend::worker::tokenizer
