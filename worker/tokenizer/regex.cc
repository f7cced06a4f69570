#define PCRE2_CODE_UNIT_WIDTH 8
#include "worker/tokenizer/regex.h"

#include <pcre2.h>

#include <array>

#include "worker/tokenizer/json_node.h"
#include "worker/tokenizer/unicode.h"

namespace emend::worker::tokenizer {
namespace {

constexpr std::uint32_t kMatchSteps = 10'000'000;
constexpr std::uint32_t kMatchHeapKib = 64 * 1024;

template <auto Free>
struct Deleter {
  template <typename T>
  void operator()(T* pointer) const {
    Free(pointer);
  }
};
using CodePointer = std::unique_ptr<pcre2_code, Deleter<pcre2_code_free>>;
using ContextPointer = std::unique_ptr<pcre2_match_context, Deleter<pcre2_match_context_free>>;
using DataPointer = std::unique_ptr<pcre2_match_data, Deleter<pcre2_match_data_free>>;

std::string ErrorText(int error) {
  std::array<PCRE2_UCHAR, 160> text{};
  pcre2_get_error_message(error, text.data(), text.size());
  return reinterpret_cast<const char*>(text.data());
}

// What Oniguruma's \w holds, to stand inside brackets.
constexpr char kWord[] =
    R"(\p{L}\p{M}\p{Nd}\p{Nl}\p{Pc}\x{24b6}-\x{24e9}\x{1f130}-\x{1f149}\x{1f150}-\x{1f169})"
    R"(\x{1f170}-\x{1f189})";

// Rewrites a pattern from Oniguruma's language into PCRE2's, or refuses what the two read
// differently.
class Translation {
 public:
  explicit Translation(std::string_view pattern) : pattern_(pattern) {}

  Result<std::string> Run() {
    while (at_ < pattern_.size()) EMEND_RETURN_IF_ERROR(Step());
    return std::move(translated_);
  }

 private:
  bool Next(std::string_view text) const { return pattern_.substr(at_).starts_with(text); }

  void Copy(std::size_t bytes) {
    translated_ += pattern_.substr(at_, bytes);
    at_ += bytes;
  }

  Status Refuse(std::string_view what) const {
    return Unsupported("the pattern has " + std::string(what) + " at its byte " +
                       std::to_string(at_) + ", which is not supported");
  }

  Status Step() {
    if (Next("\\") && at_ + 1 < pattern_.size()) return Escape();
    if (in_class_) return InClass();
    if (Next("[")) {
      in_class_ = true;
      Copy(Next("[^") ? 2 : 1);
      if (Next("]")) Copy(1);
      return OkStatus();
    }
    if (Next("}+") && EndsInterval())
      return Refuse("a \"+\" after an interval (Oniguruma repeats there, PCRE2 does not)");
    Copy(1);
    return OkStatus();
  }

  Status InClass() {
    if (Next("&&")) return Refuse("an intersection of classes");
    const std::size_t posix_end = Next("[:") ? pattern_.find(":]", at_) : std::string_view::npos;
    if (Next("[") && posix_end == std::string_view::npos) return Refuse("a class inside a class");
    if (Next("]")) in_class_ = false;
    Copy(Next("[") ? posix_end + 2 - at_ : 1);
    return OkStatus();
  }

  // Whether the "}" here closes {2}, {2,} or {2,3}.
  bool EndsInterval() const {
    std::size_t begin = at_;
    const auto counts = [](char c) { return (c >= '0' && c <= '9') || c == ','; };
    while (begin > 0 && counts(pattern_[begin - 1])) --begin;
    return begin < at_ && begin > 0 && pattern_[begin - 1] == '{';
  }

  Status Escape() {
    const char escaped = pattern_[at_ + 1];
    const auto write = [&](std::string_view inside, std::string_view open) {
      translated_ +=
          in_class_ ? std::string(inside) : std::string(open) + std::string(inside) + "]";
      at_ += 2;
      return OkStatus();
    };
    switch (escaped) {
      case 's': return write("\\p{wspace}", "[");
      case 'S': return write("\\P{wspace}", "[");
      case 'w': return write(kWord, "[");
      case 'h': return write("0-9a-fA-F", "[");
      case 'W':
      case 'H':
        if (in_class_) return Refuse(std::string("\\") + escaped + " inside a class");
        return write(escaped == 'W' ? kWord : "0-9a-fA-F", "[^");
      case 'b':
      case 'B':
        if (!in_class_) return Refuse(std::string("\\") + escaped);
        [[fallthrough]];
      default: Copy(2); return OkStatus();
    }
  }

  std::string_view pattern_;  // borrowed for one call of Run()
  std::string translated_;
  std::size_t at_ = 0;
  bool in_class_ = false;
};

}  // namespace

struct Regex::Code {
  CodePointer code;
  ContextPointer context;

  // The number of captures, or a negative error. The text was checked as UTF-8 before, so PCRE2
  // need not read all of it again for each match.
  int Search(std::string_view text, std::size_t from, pcre2_match_data* data) const {
    const auto* subject = reinterpret_cast<PCRE2_SPTR>(text.data());
    const int found = pcre2_match(code.get(), subject, text.size(), from, PCRE2_NO_UTF_CHECK, data,
                                  context.get());
    if (found != PCRE2_ERROR_JIT_STACKLIMIT) return found;
    return pcre2_match(code.get(), subject, text.size(), from, PCRE2_NO_UTF_CHECK | PCRE2_NO_JIT,
                       data, context.get());
  }
};

Result<Regex> Regex::Compile(std::string_view pattern) {
  if (pattern.size() > kPatternBytesMax) {
    return ResourceExhausted("the pattern has " + std::to_string(pattern.size()) +
                             " bytes; at most " + std::to_string(kPatternBytesMax) +
                             " are allowed");
  }
  EMEND_ASSIGN_OR_RETURN(const std::string translated, Translation(pattern).Run());
  int error = 0;
  PCRE2_SIZE offset = 0;
  auto code = std::make_shared<Code>();
  code->code.reset(pcre2_compile(reinterpret_cast<PCRE2_SPTR>(translated.data()), translated.size(),
                                 PCRE2_UTF | PCRE2_UCP | PCRE2_MULTILINE | PCRE2_NEVER_BACKSLASH_C,
                                 &error, &offset, nullptr));
  if (code->code == nullptr)
    return BadTokenizer("the pattern does not compile: " + ErrorText(error) + ", near its byte " +
                        std::to_string(offset));
  // Without JIT (refused by some hardened kernels) matching is only slower.
  static_cast<void>(pcre2_jit_compile(code->code.get(), PCRE2_JIT_COMPLETE));
  code->context.reset(pcre2_match_context_create(nullptr));
  EMEND_CHECK(code->context != nullptr, "PCRE2 could not allocate a match context");
  pcre2_set_match_limit(code->context.get(), kMatchSteps);
  pcre2_set_heap_limit(code->context.get(), kMatchHeapKib);
  return Regex(std::move(code));
}

Result<std::vector<Match>> Regex::Cut(std::string_view text) const {
  const DataPointer data(pcre2_match_data_create(1, nullptr));
  EMEND_CHECK(data != nullptr, "PCRE2 could not allocate match data");
  std::vector<Match> cuts;
  std::size_t done = 0;  // [0, done) is cut
  std::size_t from = 0;
  while (from <= text.size()) {
    const int found = code_->Search(text, from, data.get());
    if (found == PCRE2_ERROR_NOMATCH) break;
    if (found < 0)
      return ResourceExhausted("a pattern could not be matched against " +
                               std::to_string(text.size()) + " bytes: " + ErrorText(found));
    const PCRE2_SIZE* const ends = pcre2_get_ovector_pointer(data.get());
    EMEND_CHECK(from <= ends[0] && ends[0] <= ends[1],
                "PCRE2 reported a match outside of its search");
    const bool empty = ends[0] == ends[1];
    if (!empty || ends[0] > done) {
      if (ends[0] > done) cuts.push_back({done, ends[0], false});
      cuts.push_back({ends[0], ends[1], true});
    }
    done = ends[1];
    from = done;
    if (empty) from += from < text.size() ? CodePointAt(text, from).size : 1;
  }
  if (done < text.size()) cuts.push_back({done, text.size(), false});
  return cuts;
}

}  // namespace emend::worker::tokenizer
