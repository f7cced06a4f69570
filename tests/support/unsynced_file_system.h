// The disk, without waiting for it: for simulations, whose power cuts are those of a store in
// memory, and whose thousands of commits would each wait for a sync of the anchor.
#pragma once

#include <fstream>
#include <string>
#include <string_view>
#include <vector>

#include "storage/base/file_system.h"

namespace emend::test {

class UnsyncedFileSystem final : public FileSystem {
 public:
  Status AppendSynced(const std::string& path, std::string_view bytes) override {
    std::ofstream file(path, std::ios::app | std::ios::binary);
    file.write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
    file.close();
    return file ? OkStatus() : Unavailable("appending to \"" + path + "\"");
  }
  Result<std::string> Read(const std::string& path) override { return disk_.Read(path); }
  Status WriteAtomically(const std::string& path, std::string_view bytes,
                         std::uint32_t mode) override {
    return disk_.WriteAtomically(path, bytes, mode);
  }
  Status CreateFolders(const std::string& path) override { return disk_.CreateFolders(path); }
  Result<std::vector<std::string>> List(const std::string& folder) override {
    return disk_.List(folder);
  }
  Status Remove(const std::string& path) override { return disk_.Remove(path); }
  Result<std::uint64_t> Size(const std::string& path) override { return disk_.Size(path); }
  Result<std::uint64_t> FreeBytes(const std::string& path) override {
    return disk_.FreeBytes(path);
  }

 private:
  PosixFileSystem disk_;
};

}  // namespace emend::test
