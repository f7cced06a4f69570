#include "storage/delta/dtype.h"

#include <array>
#include <string>

namespace emend::storage::delta {
namespace {

struct DTypeRow {
  DType dtype;
  std::string_view name;
  std::size_t element_bytes;
};

constexpr std::array<DTypeRow, 15> kDTypes = {{
    {DType::kF64, "F64", 8},
    {DType::kF32, "F32", 4},
    {DType::kF16, "F16", 2},
    {DType::kBF16, "BF16", 2},
    {DType::kI64, "I64", 8},
    {DType::kI32, "I32", 4},
    {DType::kI16, "I16", 2},
    {DType::kI8, "I8", 1},
    {DType::kU8, "U8", 1},
    {DType::kBool, "BOOL", 1},
    {DType::kF8E4M3, "F8_E4M3", 1},
    {DType::kF8E5M2, "F8_E5M2", 1},
    {DType::kU16, "U16", 2},
    {DType::kU32, "U32", 4},
    {DType::kU64, "U64", 8},
}};

const DTypeRow& RowOf(DType dtype) {
  for (const DTypeRow& row : kDTypes) {
    if (row.dtype == dtype) return row;
  }
  EMEND_CHECK(false,
              "a DType holds the unlisted number " + std::to_string(static_cast<int>(dtype)));
  return kDTypes[0];
}

std::string KnownNames() {
  std::string names;
  for (const DTypeRow& row : kDTypes) {
    if (!names.empty()) names += ", ";
    names += row.name;
  }
  return names;
}

}  // namespace

std::size_t ElementBytes(DType dtype) { return RowOf(dtype).element_bytes; }

std::string_view DTypeName(DType dtype) { return RowOf(dtype).name; }

Result<DType> DTypeFromName(std::string_view name) {
  for (const DTypeRow& row : kDTypes) {
    if (row.name == name) return row.dtype;
  }
  return Status(StatusCode::kUnsupported, "unknown_dtype",
                "reading an element type: found \"" + std::string(name) + "\", expected one of " +
                    KnownNames());
}

bool IsEditable(DType dtype) {
  return dtype == DType::kBF16 || dtype == DType::kF16 || dtype == DType::kF32;
}

}  // namespace emend::storage::delta
