#include "worker/tokenizer/word_cache.h"

#include <algorithm>
#include <functional>

namespace emend::worker::tokenizer {

std::size_t WordCache::SlotOf(std::string_view word) {
  return std::hash<std::string_view>()(word) % kSlots;
}

bool WordCache::Find(std::string_view word, std::vector<Symbol>* symbols) {
  const std::size_t index = SlotOf(word);
  const std::lock_guard lock(mutexes_[index % kGroups]);
  const Slot& slot = slots_[index];
  if (slot.symbol_count == 0 || std::string_view(slot.word.data(), slot.word_bytes) != word)
    return false;
  for (std::size_t i = 0; i < slot.symbol_count; ++i)
    symbols->push_back({slot.ids[i], slot.symbol_bytes[i]});
  return true;
}

void WordCache::Insert(std::string_view word, const std::vector<Symbol>& symbols) {
  if (word.size() > kWordBytesMax || symbols.size() > kSymbolsMax || symbols.empty()) return;
  const std::size_t index = SlotOf(word);
  const std::lock_guard lock(mutexes_[index % kGroups]);
  Slot& slot = slots_[index];
  slot.word_bytes = static_cast<std::uint8_t>(word.size());
  slot.symbol_count = static_cast<std::uint8_t>(symbols.size());
  std::copy(word.begin(), word.end(), slot.word.begin());
  for (std::size_t i = 0; i < symbols.size(); ++i) {
    slot.ids[i] = symbols[i].id;
    slot.symbol_bytes[i] = static_cast<std::uint8_t>(symbols[i].bytes);
  }
}

}  // namespace emend::worker::tokenizer
