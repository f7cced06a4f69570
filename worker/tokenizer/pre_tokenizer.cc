#include "worker/tokenizer/pre_tokenizer.h"

#include <algorithm>
#include <array>
#include <string>
#include <string_view>
#include <utility>

#include "worker/tokenizer/pattern.h"
#include "worker/tokenizer/unicode.h"

namespace emend::worker::tokenizer {
namespace {

constexpr std::size_t kPreTokenizerStepsMax = 16;
using StepPointer = std::unique_ptr<const PreTokenizerStep>;

// The split pattern of the released GPT-2 code (encoder.py).
constexpr char kGpt2Pattern[] =
    R"('s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+)";

enum class Behavior { kRemoved, kIsolated, kMergedWithPrevious, kMergedWithNext, kContiguous };

Result<Behavior> BehaviorFrom(const Node& node) {
  EMEND_ASSIGN_OR_RETURN(const std::string name, node.Text());
  if (name == "Removed") return Behavior::kRemoved;
  if (name == "Isolated") return Behavior::kIsolated;
  if (name == "MergedWithPrevious") return Behavior::kMergedWithPrevious;
  if (name == "MergedWithNext") return Behavior::kMergedWithNext;
  if (name == "Contiguous") return Behavior::kContiguous;
  return node.UnknownType(name,
                          "Removed, Isolated, MergedWithPrevious, MergedWithNext, Contiguous");
}

// True if `later`, which comes right behind `earlier`, is to be one piece with it.
bool Joins(Behavior behavior, const Match& earlier, const Match& later) {
  if (behavior == Behavior::kContiguous) return earlier.matched == later.matched;
  if (behavior == Behavior::kMergedWithPrevious) return later.matched && !earlier.matched;
  return behavior == Behavior::kMergedWithNext && earlier.matched && !later.matched;
}

// Appends the pieces that `cuts`, relative to byte `base`, make under `behavior`.
void Collect(const std::vector<Match>& cuts, Behavior behavior, std::size_t base,
             std::vector<Piece>* out) {
  const Match* earlier = nullptr;
  for (const Match& cut : cuts) {
    const bool joins = earlier != nullptr && Joins(behavior, *earlier, cut);
    earlier = &cut;
    if (behavior == Behavior::kRemoved && cut.matched) continue;
    if (joins) {
      out->back().end = base + cut.end;
    } else {
      out->push_back({base + cut.begin, base + cut.end});
    }
  }
}

void DropEmpty(std::vector<Piece>* pieces) {
  std::erase_if(*pieces, [](const Piece& piece) { return piece.begin == piece.end; });
}

template <typename Cutter>
Status CutEach(const Cutter& cutter, Behavior behavior, Pieces* pieces) {
  std::vector<Piece> cut;
  for (const Piece& piece : pieces->pieces) {
    EMEND_ASSIGN_OR_RETURN(
        const std::vector<Match> matches,
        cutter(pieces->text.text().substr(piece.begin, piece.end - piece.begin)));
    Collect(matches, behavior, piece.begin, &cut);
  }
  DropEmpty(&cut);
  pieces->pieces = std::move(cut);
  return OkStatus();
}

// Rewrites every piece through `write(builder, piece)` and keeps their order.
template <typename Writer>
void RewriteEach(const Writer& write, Pieces* pieces) {
  AlignedTextBuilder builder(pieces->text);
  std::vector<Piece> rewritten;
  for (const Piece& piece : pieces->pieces) {
    const std::size_t begin = builder.size();
    write(builder, piece);
    rewritten.push_back({begin, builder.size()});
  }
  pieces->text = std::move(builder).Build();
  pieces->pieces = std::move(rewritten);
}

class ByteLevel final : public PreTokenizerStep {
 public:
  ByteLevel(bool add_prefix_space, std::optional<Regex> regex)
      : add_prefix_space_(add_prefix_space), regex_(std::move(regex)) {}

  Status Apply(Pieces* pieces) const override {
    const std::string_view text = pieces->text.text();
    const auto lacks_space = [&](const Piece& piece) { return text[piece.begin] != ' '; };
    if (add_prefix_space_ &&
        std::any_of(pieces->pieces.begin(), pieces->pieces.end(), lacks_space)) {
      RewriteEach(
          [&](AlignedTextBuilder& builder, const Piece& piece) {
            if (lacks_space(piece)) builder.Replace(piece.begin, piece.begin, " ");
            builder.Keep(piece.begin, piece.end);
          },
          pieces);
    }
    if (!regex_.has_value()) return OkStatus();
    return CutEach([&](std::string_view part) { return regex_->Cut(part); }, Behavior::kIsolated,
                   pieces);
  }

 private:
  bool add_prefix_space_;
  std::optional<Regex> regex_;
};

class Split final : public PreTokenizerStep {
 public:
  Split(Pattern pattern, Behavior behavior, bool invert)
      : pattern_(std::move(pattern)), behavior_(behavior), invert_(invert) {}

  Status Apply(Pieces* pieces) const override {
    const auto cut = [&](std::string_view part) -> Result<std::vector<Match>> {
      EMEND_ASSIGN_OR_RETURN(std::vector<Match> matches, pattern_.Cut(part));
      if (invert_) {
        for (Match& match : matches) match.matched = !match.matched;
      }
      return matches;
    };
    return CutEach(cut, behavior_, pieces);
  }

 private:
  Pattern pattern_;
  Behavior behavior_;
  bool invert_;
};

// Cuts at each character of a class.
class CharacterSplit final : public PreTokenizerStep {
 public:
  CharacterSplit(bool (*holds)(char32_t), Behavior behavior) : holds_(holds), behavior_(behavior) {}

  Status Apply(Pieces* pieces) const override {
    return CutEach([&](std::string_view part) { return Cut(part); }, behavior_, pieces);
  }

 private:
  // Each character of the class alone, what lies between them in one.
  Result<std::vector<Match>> Cut(std::string_view text) const {
    std::vector<Match> cuts;
    for (std::size_t at = 0; at < text.size();) {
      const CodePoint character = CodePointAt(text, at);
      const bool matched = holds_(character.value);
      if (!matched && !cuts.empty() && !cuts.back().matched) {
        cuts.back().end += character.size;
      } else {
        cuts.push_back({at, at + character.size, matched});
      }
      at += character.size;
    }
    return cuts;
  }

  bool (*holds_)(char32_t);
  Behavior behavior_;
};

// Runs of word characters, and runs of what is neither that nor white space.
class WordSplit final : public PreTokenizerStep {
 public:
  Status Apply(Pieces* pieces) const override { return CutEach(Cut, Behavior::kRemoved, pieces); }

 private:
  enum class Class { kWord, kWhitespace, kOther };

  static Class ClassOf(char32_t character) {
    if (IsWordCharacter(character)) return Class::kWord;
    return IsWhitespace(character) ? Class::kWhitespace : Class::kOther;
  }

  static Result<std::vector<Match>> Cut(std::string_view text) {
    std::vector<Match> cuts;
    Class last = Class::kOther;
    for (std::size_t at = 0; at < text.size();) {
      const CodePoint character = CodePointAt(text, at);
      const Class now = ClassOf(character.value);
      if (cuts.empty() || now != last) cuts.push_back({at, at, now == Class::kWhitespace});
      last = now;
      at += character.size;
      cuts.back().end = at;
    }
    return cuts;
  }
};

enum class PrependScheme { kAlways, kNever, kFirst };

class Metaspace final : public PreTokenizerStep {
 public:
  Metaspace(std::string replacement, PrependScheme scheme, bool split)
      : replacement_(std::move(replacement)), scheme_(scheme), split_(split) {}

  Status Apply(Pieces* pieces) const override {
    const std::string_view text = pieces->text.text();
    RewriteEach([&](AlignedTextBuilder& builder,
                    const Piece& piece) { Write(pieces->text, text, piece, &builder); },
                pieces);
    if (!split_) return OkStatus();
    return CutEach(
        [&](std::string_view part) -> Result<std::vector<Match>> {
          return CutAtLiteral(part, replacement_);
        },
        Behavior::kMergedWithNext, pieces);
  }

 private:
  bool Prepends(const AlignedText& aligned, const Piece& piece) const {
    if (scheme_ == PrependScheme::kNever) return false;
    const std::string_view text = aligned.text().substr(piece.begin, piece.end - piece.begin);
    if (text.starts_with(' ') || text.starts_with(replacement_)) return false;
    return scheme_ == PrependScheme::kAlways ||
           aligned.Original(piece.begin, piece.begin).begin == 0;
  }

  void Write(const AlignedText& aligned, std::string_view text, const Piece& piece,
             AlignedTextBuilder* builder) const {
    if (Prepends(aligned, piece)) builder->Replace(piece.begin, piece.begin, replacement_);
    for (const Match& cut : CutAtLiteral(text.substr(piece.begin, piece.end - piece.begin), " ")) {
      const std::size_t begin = piece.begin + cut.begin;
      const std::size_t end = piece.begin + cut.end;
      cut.matched ? builder->Replace(begin, end, replacement_) : builder->Keep(begin, end);
    }
  }

  std::string replacement_;
  PrependScheme scheme_;
  bool split_;
};

Result<PrependScheme> SchemeFrom(const Node& node) {
  EMEND_ASSIGN_OR_RETURN(const std::string name, node["prepend_scheme"].Text("always"));
  if (name == "always") return PrependScheme::kAlways;
  if (name == "never") return PrependScheme::kNever;
  if (name == "first") return PrependScheme::kFirst;
  return node["prepend_scheme"].UnknownType(name, "always, never, first");
}

// add_prefix_space: a piece that starts without a space gets one. use_regex: cuts by GPT-2's
// pattern.
Result<StepPointer> MakeByteLevelStep(const Node& node) {
  EMEND_ASSIGN_OR_RETURN(const bool add_prefix_space, node["add_prefix_space"].Flag(true));
  EMEND_ASSIGN_OR_RETURN(const bool use_regex, node["use_regex"].Flag(true));
  std::optional<Regex> regex;
  if (use_regex) {
    EMEND_ASSIGN_OR_RETURN(regex, Regex::Compile(kGpt2Pattern));
  }
  return StepPointer(std::make_unique<ByteLevel>(add_prefix_space, std::move(regex)));
}

// pattern, behavior, invert.
Result<StepPointer> MakeSplitStep(const Node& node) {
  EMEND_ASSIGN_OR_RETURN(Pattern pattern, Pattern::FromJson(node["pattern"]));
  EMEND_ASSIGN_OR_RETURN(const Behavior behavior, BehaviorFrom(node["behavior"]));
  EMEND_ASSIGN_OR_RETURN(const bool invert, node["invert"].Flag(false));
  return StepPointer(std::make_unique<Split>(std::move(pattern), behavior, invert));
}

// individual_digits: each number alone, else runs of them.
Result<StepPointer> MakeDigitsStep(const Node& node) {
  EMEND_ASSIGN_OR_RETURN(const bool individual, node["individual_digits"].Flag(false));
  return StepPointer(std::make_unique<CharacterSplit>(
      IsNumeric, individual ? Behavior::kIsolated : Behavior::kContiguous));
}

// replacement for spaces, prepend_scheme (always, never, first), split.
Result<StepPointer> MakeMetaspaceStep(const Node& node) {
  EMEND_ASSIGN_OR_RETURN(const bool add_prefix_space, node["add_prefix_space"].Flag(true));
  EMEND_ASSIGN_OR_RETURN(std::string replacement, node["replacement"].Text());
  if (replacement.empty() || CodePointAt(replacement, 0).size != replacement.size()) {
    return BadTokenizer(node.path() + ".replacement: expected one character, found " +
                        std::to_string(replacement.size()) + " bytes");
  }
  EMEND_ASSIGN_OR_RETURN(PrependScheme scheme, SchemeFrom(node));
  if (!add_prefix_space) scheme = PrependScheme::kNever;
  EMEND_ASSIGN_OR_RETURN(const bool split, node["split"].Flag(true));
  return StepPointer(std::make_unique<Metaspace>(std::move(replacement), scheme, split));
}

Result<StepPointer> MakePunctuationStep(const Node& node) {
  Behavior behavior = Behavior::kIsolated;
  if (!node["behavior"].IsNull()) {
    EMEND_ASSIGN_OR_RETURN(behavior, BehaviorFrom(node["behavior"]));
  }
  return StepPointer(std::make_unique<CharacterSplit>(IsPunctuation, behavior));
}

Result<StepPointer> MakeWhitespaceStep(const Node&) {
  return StepPointer(std::make_unique<WordSplit>());
}

Result<StepPointer> MakeWhitespaceSplitStep(const Node&) {
  return StepPointer(std::make_unique<CharacterSplit>(IsWhitespace, Behavior::kRemoved));
}

constexpr std::array<StepKind<PreTokenizerStep>, 7> kPreTokenizers = {{
    {"ByteLevel", MakeByteLevelStep},
    {"Digits", MakeDigitsStep},
    {"Metaspace", MakeMetaspaceStep},
    {"Punctuation", MakePunctuationStep},
    {"Split", MakeSplitStep},
    {"Whitespace", MakeWhitespaceStep},
    {"WhitespaceSplit", MakeWhitespaceSplitStep},
}};

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
    EMEND_ASSIGN_OR_RETURN(auto step, MakeStep<PreTokenizerStep>(kPreTokenizers, node, type));
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
