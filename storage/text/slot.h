// "{}" in a text: where a subject goes into a prompt, a prompt into a context. Pure functions.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace emend::storage::text {

inline constexpr std::string_view kSlot = "{}";

std::size_t CountSlots(std::string_view text);
// `text` with its first slot filled in; as it is if it has none.
std::string FillSlot(std::string_view text, std::string_view filling);

}  // namespace emend::storage::text
