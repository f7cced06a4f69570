// The two JSON texts of a checkpoint, read event by event so that duplicates are seen and integers
// stay integers. Internal to storage/checkpoint.
//
// Both refuse with kInvalidArgument and a slug for each fault (docs/reference/formats.md); nothing
// is allocated beyond a constant factor of the text.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "storage/base/status.h"

namespace emend::storage::checkpoint {

// One tensor as the header of a safetensors file gives it; not yet checked against the file or for
// a known dtype.
struct HeaderEntry {
  std::string name;
  std::string dtype;
  std::vector<std::uint64_t> shape;
  std::uint64_t begin = 0;  // within the data after the header
  std::uint64_t end = 0;
};

// `file_name` is for messages. In the header's order.
Result<std::vector<HeaderEntry>> ParseHeader(std::string_view json, const std::string& file_name);

// (tensor, file) in the order of model.safetensors.index.json's weight_map. File names are plain:
// no folder, not "." or "..".
Result<std::vector<std::pair<std::string, std::string>>> ParseWeightMap(
    std::string_view json, const std::string& file_name);

}  // namespace emend::storage::checkpoint
