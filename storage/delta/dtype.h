// The element types of stored tensors, with the names safetensors uses. Numbers are stored: never
// renumber.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "storage/base/status.h"

namespace emend::storage::delta {

enum class DType : std::uint8_t {
  kF64 = 1,
  kF32 = 2,
  kF16 = 3,
  kBF16 = 4,
  kI64 = 5,
  kI32 = 6,
  kI16 = 7,
  kI8 = 8,
  kU8 = 9,
  kBool = 10,
  kF8E4M3 = 11,
  kF8E5M2 = 12,
  kU16 = 13,
  kU32 = 14,
  kU64 = 15
};
constexpr DType LastOf(DType) { return DType::kU64; }

std::size_t ElementBytes(DType dtype);
std::string_view DTypeName(DType dtype);  // "BF16", ...
// kUnsupported, naming the type and the known ones.
Result<DType> DTypeFromName(std::string_view name);
// True for bf16, fp16 and fp32: the types whose tensors may be edited.
bool IsEditable(DType dtype);

}  // namespace emend::storage::delta
