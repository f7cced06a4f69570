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

std::string Translate(std::string_view pattern) {
  std::string translated;
  for (std::size_t i = 0; i < pattern.size(); ++i) {
    const bool escape = pattern[i] == '\\' && i + 1 < pattern.size();
    if (!escape) {
      translated.push_back(pattern[i]);
      continue;
    }
    ++i;
    if (pattern[i] == 's') {
      translated += "\\p{wspace}";
    } else if (pattern[i] == 'S') {
      translated += "\\P{wspace}";
    } else {
      translated.append(1, '\\').append(1, pattern[i]);
    }
  }
  return translated;
}

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
  const std::string translated = Translate(pattern);
  int error = 0;
  PCRE2_SIZE offset = 0;
  auto code = std::make_shared<Code>();
  code->code.reset(pcre2_compile(reinterpret_cast<PCRE2_SPTR>(translated.data()), translated.size(),
                                 PCRE2_UTF | PCRE2_UCP | PCRE2_NEVER_BACKSLASH_C, &error, &offset,
                                 nullptr));
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
