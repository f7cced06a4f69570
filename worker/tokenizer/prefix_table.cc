#include "worker/tokenizer/prefix_table.h"

namespace emend::worker::tokenizer {

PrefixTable::PrefixTable(std::vector<std::pair<std::string, std::int32_t>> entries) {
  std::erase_if(entries, [](const auto& entry) { return entry.first.empty(); });
  // As bytes, not as char: std::string compares so.
  std::ranges::sort(entries);
  entries_.reserve(entries.size());
  for (const auto& [text, number] : entries) {
    ++begins_[static_cast<unsigned char>(text.front()) + 1u];
    entries_.push_back({static_cast<std::uint32_t>(texts_.size()),
                        static_cast<std::uint32_t>(text.size()), number});
    texts_ += text;
  }
  for (std::size_t byte = 1; byte < begins_.size(); ++byte) begins_[byte] += begins_[byte - 1];
}

}  // namespace emend::worker::tokenizer
