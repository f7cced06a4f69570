#include "worker/tokenizer/decoder.h"

#include <functional>
#include <utility>

#include "worker/tokenizer/pattern.h"
#include "worker/tokenizer/unicode.h"

namespace emend::worker::tokenizer {
namespace {

constexpr std::size_t kDecoderStepsMax = 16;
constexpr std::int64_t kStripMax = 1024;
// every token's bytes are kept; they may not explode
constexpr std::size_t kReplacementBytesMax = 16;
constexpr char kDecodersKnown[] =
    "ByteFallback, ByteLevel, Fuse, Metaspace, Replace, Sequence, Strip";

using Step = std::function<std::string(std::string)>;

std::string ByteLevelStep(std::string token) { return BytesFromAlphabet(token).value_or(token); }

int HexDigit(char digit) {
  if (digit >= '0' && digit <= '9') return digit - '0';
  if (digit >= 'A' && digit <= 'F') return digit - 'A' + 10;
  return digit >= 'a' && digit <= 'f' ? digit - 'a' + 10 : -1;
}

std::string ByteFallbackStep(std::string token) {
  if (token.size() != 6 || !token.starts_with("<0x") || token.back() != '>') return token;
  const int high = HexDigit(token[3]);
  const int low = HexDigit(token[4]);
  if (high < 0 || low < 0) return token;
  return std::string(1, static_cast<char>(high * 16 + low));
}

std::string ReplaceAll(std::string_view text, std::string_view from, std::string_view to) {
  std::string replaced;
  for (const Match& cut : CutAtLiteral(text, from))
    replaced += cut.matched ? to : text.substr(cut.begin, cut.end - cut.begin);
  return replaced;
}

std::string Strip(std::string text, std::string_view what, std::size_t begin_max,
                  std::size_t end_max) {
  std::size_t begin = 0;
  for (std::size_t i = 0; i < begin_max && std::string_view(text).substr(begin).starts_with(what);
       ++i)
    begin += what.size();
  std::size_t end = text.size();
  for (std::size_t i = 0;
       i < end_max && std::string_view(text).substr(begin, end - begin).ends_with(what); ++i)
    end -= what.size();
  return text.substr(begin, end - begin);
}

}  // namespace

// Reads the component into steps for single tokens and, behind Fuse, what is done to the whole
// text.
class DecoderReader {
 public:
  explicit DecoderReader(Decoder* decoder) : decoder_(*decoder) {}

  Status Add(const Node& node, int depth) {
    EMEND_ASSIGN_OR_RETURN(const std::string type, node.Type());
    if (type == "Sequence") return AddSequence(node, depth);
    if (type == "Strip") return AddStrip(node);
    if (fused_)
      return Unsupported(node.path() + ": the decoder \"" + type +
                         "\" behind Fuse is not supported; only Strip is");
    if (type == "Fuse") return Fuse();
    if (type == "ByteLevel") {
      byte_level_ = true;
      return AddStep(ByteLevelStep);
    }
    if (type == "ByteFallback") return AddStep(ByteFallbackStep);
    if (type == "Replace") return AddReplace(node);
    if (type == "Metaspace") return AddMetaspace(node);
    return node.UnknownType(type, kDecodersKnown);
  }

  bool byte_level() const { return byte_level_; }

  std::string Apply(std::string token) const { return Apply(steps_, std::move(token)); }
  std::string ApplyToFirst(std::string token) const {
    return Apply(first_steps_, std::move(token));
  }

 private:
  static std::string Apply(const std::vector<Step>& steps, std::string token) {
    for (const Step& step : steps) token = step(std::move(token));
    return token;
  }

  Status AddSequence(const Node& node, int depth) {
    if (depth > 0) return BadTokenizer(node.path() + ": a Sequence inside a Sequence");
    EMEND_ASSIGN_OR_RETURN(const std::vector<Node> items, node["decoders"].Items(kDecoderStepsMax));
    for (const Node& item : items) EMEND_RETURN_IF_ERROR(Add(item, depth + 1));
    return OkStatus();
  }

  Status Fuse() {
    fused_ = true;
    return OkStatus();
  }

  Status AddStep(const Step& step) { return AddStep(step, step); }

  Status AddStep(Step step, Step of_first_token) {
    steps_.push_back(std::move(step));
    first_steps_.push_back(std::move(of_first_token));
    return OkStatus();
  }

  Status AddReplace(const Node& node) {
    const Node pattern = node["pattern"];
    EMEND_ASSIGN_OR_RETURN(const std::string from,
                           pattern.IsText() ? pattern.Text() : pattern["String"].Text());
    if (from.empty()) return BadTokenizer(pattern.path() + ": the text to look for is empty");
    EMEND_ASSIGN_OR_RETURN(const std::string to, node["content"].Text());
    if (to.size() > kReplacementBytesMax)
      return ResourceExhausted(node.path() + ".content: over " +
                               std::to_string(kReplacementBytesMax) + " bytes");
    return AddStep([from, to](const std::string& token) { return ReplaceAll(token, from, to); });
  }

  Status AddMetaspace(const Node& node) {
    EMEND_ASSIGN_OR_RETURN(const std::string replacement, node["replacement"].Text());
    if (replacement.empty()) return BadTokenizer(node.path() + ".replacement: is empty");
    EMEND_ASSIGN_OR_RETURN(const std::string scheme, node["prepend_scheme"].Text("always"));
    EMEND_ASSIGN_OR_RETURN(const bool add_prefix_space, node["add_prefix_space"].Flag(true));
    fused_ = true;
    decoder_.first_differs_ = scheme != "never" && add_prefix_space;
    const auto replace_by = [&](const char* to) {
      return [replacement, to](const std::string& token) {
        return ReplaceAll(token, replacement, to);
      };
    };
    return AddStep(replace_by(" "), replace_by(decoder_.first_differs_ ? "" : " "));
  }

  Status AddStrip(const Node& node) {
    EMEND_ASSIGN_OR_RETURN(const std::string what, node["content"].Text());
    if (what.empty()) return BadTokenizer(node.path() + ".content: is empty");
    EMEND_ASSIGN_OR_RETURN(const std::int64_t begin, node["start"].Integer(kStripMax));
    EMEND_ASSIGN_OR_RETURN(const std::int64_t end, node["stop"].Integer(kStripMax));
    const auto begin_max = static_cast<std::size_t>(begin);
    const auto end_max = static_cast<std::size_t>(end);
    if (!fused_)
      return AddStep([what, begin_max, end_max](std::string token) {
        return Strip(std::move(token), what, begin_max, end_max);
      });
    if (!decoder_.strip_.empty())
      return Unsupported(node.path() + ": a second Strip of the whole text is not supported");
    decoder_.strip_ = what;
    decoder_.strip_begin_ = begin_max;
    decoder_.strip_end_ = end_max;
    return OkStatus();
  }

  Decoder& decoder_;
  std::vector<Step> steps_;
  std::vector<Step> first_steps_;  // for the first token of a text
  bool fused_ = false;             // the tokens are one text from here on
  bool byte_level_ = false;
};

Result<Decoder> Decoder::FromJson(const Node& node, const Vocabulary& vocabulary,
                                  const AddedTokens& added) {
  if (node.IsNull())
    return Unsupported(node.path() + ": is missing; supported here: " + kDecodersKnown);
  Decoder decoder;
  DecoderReader reader(&decoder);
  EMEND_RETURN_IF_ERROR(reader.Add(node, 0));
  decoder.bytes_.resize(vocabulary.size());
  if (decoder.first_differs_) decoder.first_bytes_.resize(vocabulary.size());
  for (std::size_t i = 0; i < vocabulary.size(); ++i) {
    const auto id = static_cast<TokenId>(i);
    const std::string* const text = vocabulary.TextOf(id);
    if (text == nullptr) continue;
    const AddedToken* const token = added.Find(id);
    // A byte-level vocabulary's own token may be added too; one beyond it is no text in the
    // alphabet.
    const bool as_written = token != nullptr && !token->in_model && reader.byte_level();
    const std::string& written = token != nullptr ? token->written : *text;
    decoder.bytes_[i] = as_written ? written : reader.Apply(written);
    if (decoder.first_differs_) decoder.first_bytes_[i] = reader.ApplyToFirst(written);
  }
  return decoder;
}

std::string_view Decoder::TokenBytes(TokenId id) const { return BytesIn(bytes_, id); }

std::string_view Decoder::BytesIn(const std::vector<std::string>& bytes, TokenId id) {
  if (id < 0 || static_cast<std::size_t>(id) >= bytes.size()) return {};
  return bytes[static_cast<std::size_t>(id)];
}

std::string Decoder::Decode(std::span<const TokenId> ids) const {
  std::string text;
  if (first_differs_ && !ids.empty()) {
    text += BytesIn(first_bytes_, ids.front());
    ids = ids.subspan(1);
  }
  for (const TokenId id : ids) text += TokenBytes(id);
  if (strip_.empty()) return text;
  return Strip(std::move(text), strip_, strip_begin_, strip_end_);
}

}  // namespace emend::worker::tokenizer
