#include "worker/tokenizer/unicode_form.h"

#include <utf8proc.h>

#include <cstdlib>
#include <string>
#include <utility>

#include "worker/tokenizer/unicode.h"

namespace emend::worker::tokenizer {
namespace {

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

}  // namespace

Result<NormalizerPointer> MakeNfc(const Node&) {
  return NormalizerPointer(std::make_unique<UnicodeForm>(UTF8PROC_COMPOSE));
}

Result<NormalizerPointer> MakeNfd(const Node&) {
  return NormalizerPointer(std::make_unique<UnicodeForm>(UTF8PROC_DECOMPOSE));
}

Result<NormalizerPointer> MakeNfkc(const Node&) {
  return NormalizerPointer(std::make_unique<UnicodeForm>(UTF8PROC_COMPOSE | UTF8PROC_COMPAT));
}

Result<NormalizerPointer> MakeNfkd(const Node&) {
  return NormalizerPointer(std::make_unique<UnicodeForm>(UTF8PROC_DECOMPOSE | UTF8PROC_COMPAT));
}

}  // namespace emend::worker::tokenizer
