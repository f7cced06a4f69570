// What the coordinator and workers agree on of a file of key statistics: the digest that it holds
// of itself, and whether the rest of it is what was written. Workers write and read the matrices
// (worker/edit/statistics.h), each rank its own; a check of the store reads all of it.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "storage/base/digest.h"
#include "storage/base/status.h"

namespace emend::storage::checkpoint {

// What the digest covers of a layer: the SHA-256 of its [size, size] matrix.
struct StatisticsLayer {
  std::int32_t layer = 0;
  std::int64_t size = 0;
  Digest digest;
};
// `layers` in ascending order.
Digest StatisticsDigest(std::string_view key, std::int64_t tokens,
                        const std::vector<StatisticsLayer>& layers);

// Reads all of it. kDataLoss ("bad_statistics"), also if it is not there; kUnavailable (I/O).
Status CheckStatisticsFile(const std::string& path);

}  // namespace emend::storage::checkpoint
