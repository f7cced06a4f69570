// A RocksDB file system that fails on command and loses what was not synced, for tests of
// durability.
//
//   auto disk = std::make_shared<CrashFileSystem>();
//   auto store = *kv::OpenRocksKvOn({.path = path}, disk);
//   // the 17th write, sync, creation, rename or removal from now on, and all after it
//   disk->FailAt(17, Fault::kPowerCut);
//   ... write until it fails; store.reset();
//   disk->LoseUnsynced(random, Tails::kTorn); // what a power cut leaves; the disk works again
//
// A sync only notes what would be durable, it does not reach the disk: tests are fast and the
// machine's cache cannot hide a missing sync. Lost are: bytes written after a file's last sync
// (wholly, or from a random byte on), files created, and renames made, after the last sync of their
// folder. Thread-safe.
#pragma once

#include <rocksdb/file_system.h>

#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <random>
#include <string>
#include <utility>
#include <vector>

namespace emend::test {

enum class Fault { kNone, kPowerCut, kNoSpace, kIoError };
enum class Tails { kDropped, kTorn };

class CrashFileSystem final : public rocksdb::FileSystemWrapper {
 public:
  CrashFileSystem() : FileSystemWrapper(rocksdb::FileSystem::Default()) {}
  const char* Name() const override { return "CrashFileSystem"; }

  // The nth change from now on (from 1) fails: that one alone, or with kPowerCut everything after
  // it too. Replaces what was set before.
  void FailAt(int nth, Fault fault);
  // Like FailAt(1, fault) at the next sync of a file.
  void FailNextSync(Fault fault);
  // Changes made so far.
  int changes() const;
  // The power was cut and LoseUnsynced not called yet.
  bool down() const;
  // REQUIRES: nothing has a file open.
  void LoseUnsynced(std::mt19937& random, Tails tails);

  rocksdb::IOStatus NewWritableFile(const std::string& path, const rocksdb::FileOptions& options,
                                    std::unique_ptr<rocksdb::FSWritableFile>* result,
                                    rocksdb::IODebugContext* debug) override;
  rocksdb::IOStatus NewDirectory(const std::string& path, const rocksdb::IOOptions& options,
                                 std::unique_ptr<rocksdb::FSDirectory>* result,
                                 rocksdb::IODebugContext* debug) override;
  rocksdb::IOStatus RenameFile(const std::string& from, const std::string& to,
                               const rocksdb::IOOptions& options,
                               rocksdb::IODebugContext* debug) override;
  rocksdb::IOStatus DeleteFile(const std::string& path, const rocksdb::IOOptions& options,
                               rocksdb::IODebugContext* debug) override;

  // For the files that this file system hands out.
  rocksdb::IOStatus PassChange();
  rocksdb::IOStatus PassSync();
  void NoteSize(const std::string& path, std::uint64_t size);
  void NoteSync(const std::string& path);
  void NoteFolderSync(const std::string& folder);

 private:
  struct File {
    std::uint64_t size = 0;
    std::uint64_t synced = 0;
    bool named = false;  // its folder was synced since it was created
  };
  void NoteFolderMove(const std::string& from, const std::string& to);
  void LoseTail(const std::string& path, const File& file, std::mt19937& random, Tails tails);

  mutable std::mutex mutex_;
  // guarded by mutex_: those written since the last loss
  std::map<std::string, File> files_;
  // guarded by mutex_: unsynced renames of folders, from and to, oldest first
  std::vector<std::pair<std::string, std::string>> moved_;
  // guarded by mutex_: what an unsynced rename took the place of
  std::map<std::string, std::optional<std::string>> replaced_;
  Fault fault_ = Fault::kNone;       // guarded by mutex_
  int changes_left_ = 0;             // guarded by mutex_
  Fault sync_fault_ = Fault::kNone;  // guarded by mutex_
  int changes_ = 0;                  // guarded by mutex_
  bool down_ = false;                // guarded by mutex_
};

}  // namespace emend::test
