// MergeTable: which two neighbouring tokens become which one, and how early. A flat hash table,
// since looking up pairs is most of the work of BPE. Thread-safety: const methods are safe from
// many threads.
#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>
#include <vector>

#include "worker/tokenizer/tokenizer.h"

namespace emend::worker::tokenizer {

inline constexpr std::uint32_t kNoMerge = std::numeric_limits<std::uint32_t>::max();

struct Merge {
  std::uint32_t rank = kNoMerge;  // lower merges first
  TokenId id = -1;                // of the token that the two become
};

class MergeTable {
 public:
  explicit MergeTable(std::size_t merge_count) {
    std::size_t slots = 16;
    while (slots < 2 * merge_count) slots *= 2;
    slots_.resize(slots);
  }

  // A pair that is already there takes the new merge. REQUIRES: at most `merge_count` pairs,
  // merge.rank < kNoMerge.
  void Insert(TokenId left, TokenId right, Merge merge) {
    const std::uint64_t key = Key(left, right);
    std::size_t slot = Start(key);
    while (slots_[slot].merge.rank != kNoMerge && slots_[slot].key != key)
      slot = (slot + 1) & (slots_.size() - 1);
    slots_[slot] = {key, merge};
  }

  // The merge of (left, right); its rank is kNoMerge if there is none.
  Merge Find(TokenId left, TokenId right) const {
    const std::uint64_t key = Key(left, right);
    std::size_t slot = Start(key);
    while (slots_[slot].merge.rank != kNoMerge && slots_[slot].key != key)
      slot = (slot + 1) & (slots_.size() - 1);
    return slots_[slot].merge;
  }

 private:
  struct Slot {
    std::uint64_t key = 0;
    Merge merge;
  };

  static std::uint64_t Key(TokenId left, TokenId right) {
    return static_cast<std::uint64_t>(static_cast<std::uint32_t>(left)) << 32 |
           static_cast<std::uint32_t>(right);
  }
  std::size_t Start(std::uint64_t key) const {
    // Fibonacci hashing: the high bits of the product depend on all bits of the key.
    return static_cast<std::size_t>((key ^ key >> 29) * 0x9e3779b97f4a7c15u >> 24) &
           (slots_.size() - 1);
  }

  std::vector<Slot> slots_;  // a power of two, at most half full
};

}  // namespace emend::worker::tokenizer
