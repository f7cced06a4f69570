// The element types of GGUF files, and how their blocks become F32.
//
//   const GgufType* type = FindGgufType(12);  // "Q4_K": 256 elements in 144 bytes
//   type->dequantise(block, values);
//
// Elements are stored in blocks of a fixed size, each with its own scale. The values are those that
// the format defines, computed in F32 in its order of operations. Thread-safe: pure functions.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace emend::storage::checkpoint {

struct GgufType {
  std::uint32_t number = 0;  // as files name it
  std::string_view name;
  std::uint32_t block_elements = 1;
  std::uint32_t block_bytes = 0;
  // `block` has block_bytes, `values` room for block_elements. Null: known by its name alone.
  void (*dequantise)(const std::uint8_t* block, float* values) = nullptr;
};

// Null: no such type is known.
const GgufType* FindGgufType(std::uint32_t number);
// "F32, F16, ...": those that can be read.
std::string GgufTypesRead();

}  // namespace emend::storage::checkpoint
