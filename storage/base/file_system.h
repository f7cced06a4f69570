// The disk as an interface: the few file operations that durability outside RocksDB rests on (the
// anchor, imported models, exports, tokens).
//
// PosixFileSystem is the real one, tests/support/memory_file_system.h its twin for tests.
// Thread-safe. Every call blocks; none runs on an I/O thread. Failures: kNotFound, kAlreadyExists,
// kResourceExhausted (no space), kUnavailable (other errors); the message carries the path and
// errno's text.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "storage/base/status.h"

namespace emend {

// What a name stands for. Links are not followed: one is kOther.
enum class EntryKind { kNone, kFile, kFolder, kOther };

// A file that is being made, where nothing was before.
class NewFile {
 public:
  virtual ~NewFile() = default;
  virtual Status Append(std::span<const std::uint8_t> bytes) = 0;
  // The bytes have reached the disk; the name has after SyncFolder.
  virtual Status Sync() = 0;
};

// Of a file that nobody but its owner reads.
inline constexpr std::uint32_t kPrivateMode = 0600;

class FileSystem {
 public:
  virtual ~FileSystem() = default;
  virtual Result<std::string> Read(const std::string& path) = 0;
  // Appends and, when it returns ok, has synced the file.
  virtual Status AppendSynced(const std::string& path, std::string_view bytes) = 0;
  // Readers see the old bytes or the new ones, also after a power cut: temporary file, sync,
  // rename, sync of the folder. `mode` as in chmod.
  virtual Status WriteAtomically(const std::string& path, std::string_view bytes,
                                 std::uint32_t mode) = 0;
  virtual Status CreateFolders(const std::string& path) = 0;
  virtual Result<std::vector<std::string>> List(const std::string& folder) = 0;  // names, sorted
  // ok if it is not there
  virtual Status Remove(const std::string& path) = 0;
  virtual Result<std::uint64_t> Size(const std::string& path) = 0;
  virtual Result<std::uint64_t> FreeBytes(const std::string& path) = 0;

  virtual Result<EntryKind> Look(const std::string& path) = 0;
  // One folder, mode 0777 less the umask. kAlreadyExists whatever has the name.
  virtual Status CreateFolder(const std::string& path) = 0;
  // kAlreadyExists whatever has the name.
  virtual Result<std::unique_ptr<NewFile>> CreateFile(const std::string& path) = 0;
  // A file or a folder. kAlreadyExists if the new name is taken: nothing is ever replaced.
  virtual Status Rename(const std::string& from, const std::string& to) = 0;
  // An empty one; ok if it is not there. kFailedPrecondition if it holds something.
  virtual Status RemoveFolder(const std::string& path) = 0;
  // Names that were made, moved or removed in it stay so also after a power cut.
  virtual Status SyncFolder(const std::string& path) = 0;
  bool Exists(const std::string& path) { return Size(path).ok(); }
};

// What errno says of `what` that was done to `path`, as the calls of PosixFileSystem report it. No
// room, or none left of a quota, is kResourceExhausted ("disk_full").
Status ErrnoStatus(const std::string& what, const std::string& path);

class PosixFileSystem : public FileSystem {
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
};

// A file or a folder with all that is in it; ok if it is not there.
Status RemoveTree(FileSystem& files, const std::string& path);

}  // namespace emend
