#include "storage/text/slot.h"

namespace emend::storage::text {

std::size_t CountSlots(std::string_view text) {
  std::size_t count = 0;
  for (std::size_t at = text.find(kSlot); at != std::string_view::npos;
       at = text.find(kSlot, at + kSlot.size()))
    ++count;
  return count;
}

std::string FillSlot(std::string_view text, std::string_view filling) {
  const std::size_t slot = text.find(kSlot);
  std::string filled(text);
  return slot == std::string_view::npos ? filled : filled.replace(slot, kSlot.size(), filling);
}

}  // namespace emend::storage::text
