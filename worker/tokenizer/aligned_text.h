// A text on its way through normaliser and pre-tokenizer: its bytes now, and for each the bytes of
// the original text that it stands for.
//
// As long as nothing was rewritten (GPT-2: always) that is a plain offset; only rewriting pays for
// a span per byte. Thread-safety: a value.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace emend::worker::tokenizer {

// Bytes [begin, end).
struct Span {
  std::uint32_t begin = 0;
  std::uint32_t end = 0;
};

class AlignedText {
 public:
  AlignedText() = default;
  // `text` stands for itself, from byte `origin` of the original on.
  AlignedText(std::string_view text, std::uint32_t origin) : text_(text), origin_(origin) {}

  std::string_view text() const { return text_; }
  // The original bytes of text()[begin, end). An empty range stands at the place where it would be.
  Span Original(std::size_t begin, std::size_t end) const;
  AlignedText Part(std::size_t begin, std::size_t end) const;

 private:
  friend class AlignedTextBuilder;

  std::string text_;
  // one for each byte of text_; empty while text_ is the original's bytes from origin_ on
  std::vector<Span> spans_;
  std::uint32_t origin_ = 0;
};

// Writes a new AlignedText from parts of an old one.
class AlignedTextBuilder {
 public:
  explicit AlignedTextBuilder(const AlignedText& source) : source_(source) {
    built_.origin_ = source.origin_;
  }

  // Keeps source[begin, end) as it is.
  void Keep(std::size_t begin, std::size_t end);
  // Writes `text` in the place of source[begin, end); begin == end inserts.
  void Replace(std::size_t begin, std::size_t end, std::string_view text);
  std::size_t size() const { return built_.text_.size(); }
  AlignedText Build() && { return std::move(built_); }

 private:
  const AlignedText& source_;
  AlignedText built_;
};

}  // namespace emend::worker::tokenizer
