// WordCache: the tokens of short words that were met before. Memory is fixed; a word that falls on
// a taken slot replaces what was there. Thread-safe: slots are guarded in groups.
#pragma once

#include <array>
#include <cstdint>
#include <mutex>
#include <string_view>
#include <vector>

#include "worker/tokenizer/tokenizer.h"

namespace emend::worker::tokenizer {

// A token and how many bytes of the word it takes.
struct Symbol {
  TokenId id = 0;
  std::uint32_t bytes = 0;
};

class WordCache {
 public:
  static constexpr std::size_t kWordBytesMax = 31;
  static constexpr std::size_t kSymbolsMax = 8;

  WordCache() : slots_(kSlots) {}

  // Appends the symbols of `word` and returns true, or returns false. REQUIRES: word.size() <=
  // kWordBytesMax.
  bool Find(std::string_view word, std::vector<Symbol>* symbols);
  // Words over the bounds are not kept.
  void Insert(std::string_view word, const std::vector<Symbol>& symbols);

 private:
  static constexpr std::size_t kSlots = std::size_t{1} << 14;
  static constexpr std::size_t kGroups = 64;

  struct Slot {
    std::uint8_t word_bytes = 0;
    std::uint8_t symbol_count = 0;  // 0: free
    std::array<std::uint8_t, kSymbolsMax> symbol_bytes{};
    std::array<char, kWordBytesMax> word{};
    std::array<TokenId, kSymbolsMax> ids{};
  };

  static std::size_t SlotOf(std::string_view word);

  std::array<std::mutex, kGroups> mutexes_;
  std::vector<Slot> slots_;  // slots_[i] is guarded by mutexes_[i % kGroups]
};

}  // namespace emend::worker::tokenizer
