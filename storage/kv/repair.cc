#include "storage/kv/repair.h"

#include <fcntl.h>
#include <rocksdb/env.h>
#include <stdio.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>

#include "storage/kv/rocks_session.h"

namespace emend::storage::kv {
namespace {

namespace fs = std::filesystem;

Status FromError(const std::error_code& error, const std::string& doing) {
  const std::string message = doing + ": " + error.message();
  if (error == std::errc::no_space_on_device)
    return {StatusCode::kResourceExhausted, "disk_full", message};
  if (error == std::errc::no_such_file_or_directory) return NotFound(message);
  return Unavailable(message);
}

// Holds RocksDB's lock on a folder.
class FolderLock {
 public:
  explicit FolderLock(const std::string& folder) {
    const rocksdb::Status locked = rocksdb::Env::Default()->LockFile(folder + "/LOCK", &lock_);
    if (!locked.ok())
      status_ = {
          StatusCode::kUnavailable, "store_locked",
          "locking store \"" + folder + "\": another process holds it: " + locked.ToString()};
  }
  ~FolderLock() {
    if (lock_ != nullptr) rocksdb::Env::Default()->UnlockFile(lock_).PermitUncheckedError();
  }
  FolderLock(const FolderLock&) = delete;
  FolderLock& operator=(const FolderLock&) = delete;
  const Status& status() const { return status_; }

 private:
  rocksdb::FileLock* lock_ = nullptr;
  Status status_;
};

Result<SalvageReport> CopyFiles(const std::string& from, const std::string& to) {
  SalvageReport report;
  std::error_code error;
  fs::create_directory(to, error);
  for (auto it = fs::directory_iterator(from, error); !error && it != fs::directory_iterator();
       it.increment(error)) {
    const fs::path name = it->path().filename();
    if (name == "LOCK" || !it->is_regular_file(error)) continue;
    if (!fs::copy_file(it->path(), fs::path(to) / name, error)) break;
    ++report.files;
    report.bytes += it->file_size(error);
  }
  if (error) return FromError(error, "copying store \"" + from + "\" to \"" + to + "\"");
  return report;
}

// Everything below `folder` and the folder itself: the copy is about to replace the original.
Status SyncAll(const std::string& folder) {
  const int fd = open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  const int synced = fd < 0 ? -1 : syncfs(fd);
  const std::error_code error(errno, std::generic_category());
  if (fd >= 0) close(fd);
  return synced == 0 ? OkStatus()
                     : FromError(error, "syncing the copy of a store at \"" + folder + "\"");
}

Status Replay(const std::string& path) {
  EMEND_ASSIGN_OR_RETURN(std::unique_ptr<RocksSession> session,
                         RocksSession::Open({path, SessionMode::kSalvage, nullptr}));
  session.reset();
  return SyncAll(path);
}

Status Rename(const std::string& from, const std::string& to) {
  std::error_code error;
  fs::rename(from, to, error);
  return error ? FromError(error, "renaming \"" + from + "\" to \"" + to + "\"") : OkStatus();
}

}  // namespace

Result<SalvageReport> SalvageCopy(const std::string& from, const std::string& to) {
  std::error_code error;
  if (!fs::is_directory(from, error))
    return NotFound("copying store \"" + from + "\": there is no such folder");
  if (fs::exists(to, error))
    return Status(StatusCode::kAlreadyExists,
                  "copying store \"" + from + "\": \"" + to + "\" is there already");
  const FolderLock lock(from);
  EMEND_RETURN_IF_ERROR(lock.status());
  Result<SalvageReport> report = CopyFiles(from, to);
  Status status = report.status();
  if (status.ok()) status = Replay(to);
  if (status.ok()) return report;
  EMEND_RETURN_IF_ERROR(RemoveFolder(to));
  return status;
}

Status ReplaceFolder(const std::string& live, const std::string& replacement,
                     const std::string& kept) {
  {
    const FolderLock lock(live);
    EMEND_RETURN_IF_ERROR(lock.status());
  }
  if (renameat2(AT_FDCWD, live.c_str(), AT_FDCWD, replacement.c_str(), RENAME_EXCHANGE) == 0) {
    EMEND_RETURN_IF_ERROR(Rename(replacement, kept));
  } else {
    EMEND_RETURN_IF_ERROR(Rename(live, kept));
    EMEND_RETURN_IF_ERROR(Rename(replacement, live));
  }
  const fs::path parent = fs::path(live).parent_path();
  return SyncAll(parent.empty() ? "." : parent.string());
}

Status RemoveFolder(const std::string& path) {
  std::error_code error;
  fs::remove_all(path, error);
  return error ? FromError(error, "removing \"" + path + "\"") : OkStatus();
}

}  // namespace emend::storage::kv
