// A FileSystem in memory for tests and the simulation. FailNextWrites makes the next writes fail
// without effect, as a full disk would.
#pragma once

#include <map>
#include <mutex>
#include <string>

#include "storage/base/file_system.h"

namespace emend {

class MemoryFileSystem final : public FileSystem {
 public:
  Result<std::string> Read(const std::string& path) override;
  Status AppendSynced(const std::string& path, std::string_view bytes) override;
  Status WriteAtomically(const std::string& path, std::string_view bytes,
                         std::uint32_t mode) override;
  Status CreateFolders(const std::string& path) override;
  Result<std::vector<std::string>> List(const std::string& folder) override;
  Status Remove(const std::string& path) override;
  Result<std::uint64_t> Size(const std::string& path) override;
  Result<std::uint64_t> FreeBytes(const std::string& path) override;

  // The next `count` writes return kResourceExhausted and change nothing.
  void FailNextWrites(int count);

 private:
  Status TakeFailure(const std::string& path);

  std::mutex mutex_;
  std::map<std::string, std::string> files_;  // guarded by mutex_
  int failures_left_ = 0;                     // guarded by mutex_
};

}  // namespace emend
