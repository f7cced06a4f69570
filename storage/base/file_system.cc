#include "storage/base/file_system.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>

namespace emend {

Status ErrnoStatus(const std::string& what, const std::string& path) {
  const int error = errno;
  const std::string message = what + " \"" + path + "\": " + std::strerror(error);
  if (error == ENOENT || error == ENOTDIR) return NotFound(message);
  if (error == EEXIST) return {StatusCode::kAlreadyExists, message};
  if (error == ENOSPC || error == EDQUOT)
    return {StatusCode::kResourceExhausted, "disk_full", message};
  return Unavailable(message);
}

namespace {

// A file descriptor that closes itself.
class File {
 public:
  File(const std::string& path, int flags, mode_t mode = 0644)
      : fd_(open(path.c_str(), flags | O_CLOEXEC, mode)) {}
  ~File() {
    if (fd_ >= 0) close(fd_);
  }
  File(const File&) = delete;
  File& operator=(const File&) = delete;
  int fd() const { return fd_; }

 private:
  int fd_;
};

constexpr std::size_t kPieceMax = std::size_t{1} << 26;

Status WriteAll(int fd, std::string_view bytes, const std::string& path) {
  while (!bytes.empty()) {
    const ssize_t written = write(fd, bytes.data(), std::min(bytes.size(), kPieceMax));
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return ErrnoStatus("writing", path);
    bytes.remove_prefix(static_cast<std::size_t>(written));
  }
  return OkStatus();
}

Status SyncFolderAt(const std::string& folder) {
  const File file(folder, O_RDONLY | O_DIRECTORY);
  if (file.fd() < 0 || fsync(file.fd()) != 0) return ErrnoStatus("syncing folder", folder);
  return OkStatus();
}

Status SyncParent(const std::string& path) {
  const std::filesystem::path parent = std::filesystem::path(path).parent_path();
  return SyncFolderAt(parent.empty() ? "." : parent.string());
}

class PosixNewFile final : public NewFile {
 public:
  explicit PosixNewFile(const std::string& path)
      : path_(path), file_(path, O_WRONLY | O_CREAT | O_EXCL) {}
  bool is_open() const { return file_.fd() >= 0; }
  Status Append(std::span<const std::uint8_t> bytes) override {
    return WriteAll(file_.fd(), {reinterpret_cast<const char*>(bytes.data()), bytes.size()}, path_);
  }
  Status Sync() override {
    return fsync(file_.fd()) == 0 ? OkStatus() : ErrnoStatus("syncing", path_);
  }

 private:
  const std::string path_;
  const File file_;
};

// For file systems that cannot be told to replace nothing.
int RenameUnlessThere(const char* from, const char* to) {
  struct stat info{};
  if (lstat(to, &info) == 0) {
    errno = EEXIST;
    return -1;
  }
  return rename(from, to);
}

Status WriteSynced(const std::string& path, std::string_view bytes, std::uint32_t mode) {
  const File file(path, O_WRONLY | O_CREAT | O_TRUNC, mode);
  if (file.fd() < 0) return ErrnoStatus("creating", path);
  EMEND_RETURN_IF_ERROR(WriteAll(file.fd(), bytes, path));
  if (fsync(file.fd()) != 0) return ErrnoStatus("syncing", path);
  return OkStatus();
}

}  // namespace

Result<std::string> PosixFileSystem::Read(const std::string& path) {
  const File file(path, O_RDONLY);
  if (file.fd() < 0) return ErrnoStatus("opening", path);
  std::string bytes;
  char buffer[1 << 16];
  for (;;) {
    const ssize_t got = read(file.fd(), buffer, sizeof buffer);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return ErrnoStatus("reading", path);
    if (got == 0) return bytes;
    bytes.append(buffer, static_cast<std::size_t>(got));
  }
}

Status PosixFileSystem::AppendSynced(const std::string& path, std::string_view bytes) {
  const bool is_new = !Exists(path);
  const File file(path, O_WRONLY | O_CREAT | O_APPEND);
  if (file.fd() < 0) return ErrnoStatus("opening for append", path);
  EMEND_RETURN_IF_ERROR(WriteAll(file.fd(), bytes, path));
  if (fdatasync(file.fd()) != 0) return ErrnoStatus("syncing", path);
  return is_new ? SyncParent(path) : OkStatus();
}

Status PosixFileSystem::WriteAtomically(const std::string& path, std::string_view bytes,
                                        std::uint32_t mode) {
  const std::string temporary = path + ".tmp." + std::to_string(getpid());
  if (Status written = WriteSynced(temporary, bytes, mode); !written.ok()) {
    unlink(temporary.c_str());
    return written;
  }
  if (rename(temporary.c_str(), path.c_str()) != 0) {
    const Status failed = ErrnoStatus("renaming to", path);
    unlink(temporary.c_str());
    return failed;
  }
  return SyncParent(path);
}

Status PosixFileSystem::CreateFolders(const std::string& path) {
  std::error_code error;
  std::filesystem::create_directories(path, error);
  if (!error) return OkStatus();
  errno = error.value();
  return ErrnoStatus("creating folder", path);
}

Result<std::vector<std::string>> PosixFileSystem::List(const std::string& folder) {
  std::error_code error;
  std::vector<std::string> names;
  for (auto it = std::filesystem::directory_iterator(folder, error);
       !error && it != std::filesystem::directory_iterator(); it.increment(error)) {
    names.push_back(it->path().filename().string());
  }
  if (error) {
    errno = error.value();
    return ErrnoStatus("listing", folder);
  }
  std::sort(names.begin(), names.end());
  return names;
}

Status PosixFileSystem::Remove(const std::string& path) {
  if (unlink(path.c_str()) != 0 && errno != ENOENT) return ErrnoStatus("removing", path);
  return OkStatus();
}

Result<std::uint64_t> PosixFileSystem::Size(const std::string& path) {
  struct stat info{};
  if (stat(path.c_str(), &info) != 0) return ErrnoStatus("asking for the size of", path);
  return static_cast<std::uint64_t>(info.st_size);
}

Result<std::uint64_t> PosixFileSystem::FreeBytes(const std::string& path) {
  struct statvfs info{};
  if (statvfs(path.c_str(), &info) != 0) return ErrnoStatus("asking for free space at", path);
  return static_cast<std::uint64_t>(info.f_bavail) * info.f_frsize;
}

Result<EntryKind> PosixFileSystem::Look(const std::string& path) {
  struct stat info{};
  if (lstat(path.c_str(), &info) != 0) {
    if (errno == ENOENT || errno == ENOTDIR) return EntryKind::kNone;
    return ErrnoStatus("looking at", path);
  }
  if (S_ISREG(info.st_mode)) return EntryKind::kFile;
  return S_ISDIR(info.st_mode) ? EntryKind::kFolder : EntryKind::kOther;
}

Status PosixFileSystem::CreateFolder(const std::string& path) {
  return mkdir(path.c_str(), 0777) == 0 ? OkStatus() : ErrnoStatus("creating folder", path);
}

Result<std::unique_ptr<NewFile>> PosixFileSystem::CreateFile(const std::string& path) {
  auto file = std::make_unique<PosixNewFile>(path);
  if (!file->is_open()) return ErrnoStatus("creating", path);
  return std::unique_ptr<NewFile>(std::move(file));
}

Status PosixFileSystem::Rename(const std::string& from, const std::string& to) {
  int renamed = renameat2(AT_FDCWD, from.c_str(), AT_FDCWD, to.c_str(), RENAME_NOREPLACE);
  if (renamed != 0 && (errno == EINVAL || errno == ENOSYS))
    renamed = RenameUnlessThere(from.c_str(), to.c_str());
  return renamed == 0 ? OkStatus() : ErrnoStatus("renaming \"" + from + "\" to", to);
}

Status PosixFileSystem::RemoveFolder(const std::string& path) {
  if (rmdir(path.c_str()) == 0 || errno == ENOENT) return OkStatus();
  if (errno == ENOTEMPTY || errno == EEXIST)
    return {StatusCode::kFailedPrecondition,
            "removing folder \"" + path + "\": it still holds something"};
  return ErrnoStatus("removing folder", path);
}

Status PosixFileSystem::SyncFolder(const std::string& path) { return SyncFolderAt(path); }

Status RemoveTree(FileSystem& files, const std::string& path) {
  EMEND_ASSIGN_OR_RETURN(const EntryKind kind, files.Look(path));
  if (kind == EntryKind::kNone) return OkStatus();
  if (kind != EntryKind::kFolder) return files.Remove(path);
  EMEND_ASSIGN_OR_RETURN(const std::vector<std::string> names, files.List(path));
  for (const std::string& name : names) EMEND_RETURN_IF_ERROR(RemoveTree(files, path + "/" + name));
  return files.RemoveFolder(path);
}

}  // namespace emend
