#include "worker/tokenizer/aligned_text.h"

namespace emend::worker::tokenizer {

Span AlignedText::Original(std::size_t begin, std::size_t end) const {
  if (spans_.empty())
    return {origin_ + static_cast<std::uint32_t>(begin), origin_ + static_cast<std::uint32_t>(end)};
  if (begin < end) return {spans_[begin].begin, spans_[end - 1].end};
  const std::uint32_t place = begin < spans_.size() ? spans_[begin].begin : spans_.back().end;
  return {place, place};
}

AlignedText AlignedText::Part(std::size_t begin, std::size_t end) const {
  AlignedText part(text().substr(begin, end - begin), Original(begin, begin).begin);
  if (!spans_.empty())
    part.spans_.assign(spans_.begin() + static_cast<std::ptrdiff_t>(begin),
                       spans_.begin() + static_cast<std::ptrdiff_t>(end));
  return part;
}

void AlignedTextBuilder::Keep(std::size_t begin, std::size_t end) {
  built_.text_.append(source_.text().substr(begin, end - begin));
  if (!source_.spans_.empty()) {
    built_.spans_.insert(built_.spans_.end(),
                         source_.spans_.begin() + static_cast<std::ptrdiff_t>(begin),
                         source_.spans_.begin() + static_cast<std::ptrdiff_t>(end));
    return;
  }
  for (std::size_t at = begin; at < end; ++at)
    built_.spans_.push_back(source_.Original(at, at + 1));
}

void AlignedTextBuilder::Replace(std::size_t begin, std::size_t end, std::string_view text) {
  built_.text_.append(text);
  built_.spans_.insert(built_.spans_.end(), text.size(), source_.Original(begin, end));
}

}  // namespace emend::worker::tokenizer
