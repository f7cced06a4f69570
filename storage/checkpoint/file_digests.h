// Whether the files of a folder are still, byte for byte, what was once recorded of them.
//
// Blocks, and reads every byte. Thread-safe.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "storage/base/digest.h"
#include "storage/base/status.h"

namespace emend::storage::checkpoint {

// SHA-256. kNotFound, kUnavailable (I/O).
Result<Digest> HashFile(const std::string& path);

// Something that has a digest, compared with what it should be.
struct DigestCheck {
  std::string name;
  Digest digest;      // what was found; zero if it could not be read
  std::string fault;  // empty: as expected
};

// One result per expected file, in their order. Other files of the folder are not looked at.
std::vector<DigestCheck> CompareFiles(const std::string& folder,
                                      const std::map<std::string, Digest>& expected);

// kDataLoss ("base_damaged") names the first file that is not as expected.
Status CheckFiles(const std::string& folder, const std::map<std::string, Digest>& expected);

}  // namespace emend::storage::checkpoint
