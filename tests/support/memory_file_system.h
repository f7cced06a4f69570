// A FileSystem in memory for tests and the simulation. FailNextWrites makes the next writes fail
// without effect, as a full disk would.
#pragma once

#include <map>
#include <mutex>
#include <set>
#include <string>

#include "storage/base/file_system.h"

namespace emend::test {

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
  Result<EntryKind> Look(const std::string& path) override;
  Status CreateFolder(const std::string& path) override;
  Result<std::unique_ptr<NewFile>> CreateFile(const std::string& path) override;
  Status Rename(const std::string& from, const std::string& to) override;
  Status RemoveFolder(const std::string& path) override;
  Status SyncFolder(const std::string& path) override;

  // The next `count` writes return kResourceExhausted and change nothing.
  void FailNextWrites(int count);

 private:
  Status TakeFailure(const std::string& path);
  EntryKind KindOf(const std::string& path) const;

  std::mutex mutex_;
  std::map<std::string, std::string> files_;  // guarded by mutex_
  std::set<std::string> folders_;             // guarded by mutex_: those of CreateFolder
  int failures_left_ = 0;                     // guarded by mutex_
};

}  // namespace emend::test
