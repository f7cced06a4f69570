// A safetensors file of tensors whose bytes are in memory.
#pragma once

#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <vector>

#include "storage/checkpoint/safetensors.h"

namespace emend::storage::checkpoint {

struct NewTensor {
  std::string name;
  delta::DType dtype = delta::DType::kF32;
  std::vector<std::uint64_t> shape;
  std::vector<std::uint8_t> bytes;
};

inline Status WriteSafetensors(const std::string& path, std::span<const NewTensor> tensors,
                               const std::map<std::string, std::string>& metadata) {
  std::vector<TensorSource> sources;
  for (const NewTensor& tensor : tensors)
    sources.push_back(
        {tensor.name, tensor.dtype, tensor.shape, [&tensor] { return tensor.bytes; }});
  return StreamSafetensors(path, sources, metadata);
}

}  // namespace emend::storage::checkpoint
