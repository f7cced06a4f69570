// PrefixTable: a set of texts, each with a number, and which of them a text begins with. The texts
// lie sorted, and each byte that is looked at narrows the range in which they agree so far.
// Thread-safety: const methods are safe from many threads.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace emend::worker::tokenizer {

class PrefixTable {
 public:
  PrefixTable() = default;
  // `entries`: no text twice; an empty one is passed over. REQUIRES: under 4 GiB of text.
  explicit PrefixTable(std::vector<std::pair<std::string, std::int32_t>> entries);

  bool empty() const { return entries_.empty(); }

  // Calls found(bytes, number) for each entry that `text` begins with, the shortest first. Returns
  // how many bytes of `text` were looked at.
  template <typename Found>
  std::size_t ForEachPrefix(std::string_view text, const Found& found) const {
    if (text.empty()) return 0;
    const auto first = static_cast<unsigned char>(text.front());
    auto begin = entries_.begin() + begins_[first];
    auto end = entries_.begin() + begins_[first + 1];
    std::size_t depth = 1;
    while (begin != end) {
      if (begin->bytes == depth) {
        found(depth, begin->number);
        ++begin;
      }
      if (depth == text.size()) break;
      const auto byte_of = [&](const Entry& entry) { return ByteAt(entry, depth); };
      const auto range = std::ranges::equal_range(
          begin, end, static_cast<unsigned char>(text[depth]), {}, byte_of);
      begin = range.begin();
      end = range.end();
      ++depth;
    }
    return depth;
  }

  // The bytes of the longest entry that `text` begins with, and its number; 0 bytes: there is none.
  std::pair<std::size_t, std::int32_t> LongestPrefix(std::string_view text) const {
    std::pair<std::size_t, std::int32_t> longest{0, 0};
    ForEachPrefix(text, [&](std::size_t bytes, std::int32_t number) { longest = {bytes, number}; });
    return longest;
  }

 private:
  struct Entry {
    std::uint32_t begin = 0;  // in texts_
    std::uint32_t bytes = 0;
    std::int32_t number = 0;
  };

  unsigned char ByteAt(const Entry& entry, std::size_t depth) const {
    return static_cast<unsigned char>(texts_[entry.begin + depth]);
  }

  std::string texts_;
  std::vector<Entry> entries_;  // in the order of their texts
  std::array<std::uint32_t, 257>
      begins_{};  // entries_ whose first byte is b: [begins_[b], begins_[b + 1])
};

}  // namespace emend::worker::tokenizer
