// A CrashFileSystem as the FileSystem of all that writes outside RocksDB: it fails on command, and
// loses what was not synced.
//
//   CrashFileSystem crash;
//   CrashDisk disk(crash);
//   crash.FailAt(17, Fault::kPowerCut);
//   ... write through `disk` until it fails ...
//   crash.LoseUnsynced(random, Tails::kTorn);
//
// Covers what makes, moves and removes files and folders one by one; a folder that was made is
// there after a power cut. Not thread-safe.
#pragma once

#include <memory>
#include <string>

#include "storage/base/file_system.h"
#include "tests/support/crash_file_system.h"

namespace emend::test {

class CrashDisk final : public PosixFileSystem {
 public:
  explicit CrashDisk(CrashFileSystem& crash) : crash_(crash) {}

  Status CreateFolder(const std::string& path) override;
  Result<std::unique_ptr<NewFile>> CreateFile(const std::string& path) override;
  Status Rename(const std::string& from, const std::string& to) override;
  Status Remove(const std::string& path) override;
  Status RemoveFolder(const std::string& path) override;
  Status SyncFolder(const std::string& path) override;

 private:
  CrashFileSystem& crash_;
};

}  // namespace emend::test
