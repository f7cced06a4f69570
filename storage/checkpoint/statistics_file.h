// What the coordinator and workers agree on of a file of key statistics: its tensors, the digest
// that it holds of itself, and whether the rest of it is what was written. Workers write and read
// the matrices (worker/edit/statistics.h), each rank its own; a check of the store reads all of it.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "storage/base/digest.h"
#include "storage/base/status.h"
#include "storage/checkpoint/file_io.h"
#include "storage/checkpoint/safetensors.h"

namespace emend::storage::checkpoint {

// What the digest covers of a layer: the SHA-256 of its [size, size] matrix; or of one for each
// expert, and how many tokens pass each.
struct StatisticsLayer {
  std::int32_t layer = 0;
  std::int64_t size = 0;
  Digest digest;
  std::vector<std::int64_t> passed = {};
};
// `layers` in ascending order.
Digest StatisticsDigest(std::string_view key, std::int64_t tokens,
                        const std::vector<StatisticsLayer>& layers);

// "layer.00004", "passed.00004"
std::string StatisticsLayerName(std::int32_t layer);
std::string StatisticsPassedName(std::int32_t layer);

// Its form is checked, and its digest where Check() is called.
struct StatisticsFile {
  std::string path;
  std::unique_ptr<const MappedFile> mapped;  // what nobody touches of a layer is not read
  std::string key;
  std::string digest;  // raw
  std::int64_t tokens = 0;
  std::map<std::int32_t, TensorView> layers;  // F64 [size, size], or [experts, size, size]
  std::map<std::int32_t, std::vector<std::int64_t>> passed;  // of layers with experts

  // `hashed` are all layers as read, in ascending order. kDataLoss ("bad_statistics").
  Status Check(const std::vector<StatisticsLayer>& hashed) const;
};
// kNotFound, kDataLoss ("bad_statistics"), kUnavailable (I/O).
Result<StatisticsFile> OpenStatisticsFile(const std::string& path);

// Reads all of it. kDataLoss ("bad_statistics"), also if it is not there; kUnavailable (I/O).
Status CheckStatisticsFile(const std::string& path);

}  // namespace emend::storage::checkpoint
