// The disk, without waiting for it: for simulations, whose power cuts are those of a store in
// memory, and whose thousands of commits would each wait for a sync of the anchor.
#pragma once

#include <fstream>
#include <string>
#include <string_view>

#include "storage/base/file_system.h"

namespace emend::test {

class UnsyncedFileSystem final : public PosixFileSystem {
 public:
  Status AppendSynced(const std::string& path, std::string_view bytes) override {
    std::ofstream file(path, std::ios::app | std::ios::binary);
    file.write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
    file.close();
    return file ? OkStatus() : Unavailable("appending to \"" + path + "\"");
  }
};

}  // namespace emend::test
