#include "storage/checkpoint/file_io.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

namespace emend::storage::checkpoint {
namespace {

Status ErrnoStatus(const std::string& what, const std::string& path) {
  const int error = errno;
  const std::string message = what + " \"" + path + "\": " + std::strerror(error);
  if (error == ENOENT || error == ENOTDIR) return NotFound(message);
  if (error == ENOSPC || error == EDQUOT) return ResourceExhausted(message);
  return Unavailable(message);
}

class Descriptor {
 public:
  Descriptor(const std::string& path, int flags) : fd_(open(path.c_str(), flags | O_CLOEXEC)) {}
  ~Descriptor() {
    if (fd_ >= 0) close(fd_);
  }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  int fd() const { return fd_; }

 private:
  const int fd_;
};

}  // namespace

Result<std::unique_ptr<MappedFile>> MappedFile::Open(const std::string& path) {
  const Descriptor file(path, O_RDONLY);
  if (file.fd() < 0) return ErrnoStatus("opening", path);
  struct stat info{};
  if (fstat(file.fd(), &info) != 0) return ErrnoStatus("asking for the size of", path);
  if (!S_ISREG(info.st_mode))
    return InvalidArgument("mapping \"" + path + "\": expected a regular file");
  std::unique_ptr<MappedFile> mapped(new MappedFile());
  if (info.st_size == 0) return mapped;
  const auto size = static_cast<std::size_t>(info.st_size);
  void* address = mmap(nullptr, size, PROT_READ, MAP_PRIVATE, file.fd(), 0);
  if (address == MAP_FAILED) return ErrnoStatus("mapping", path);
  mapped->bytes_ = {static_cast<const std::uint8_t*>(address), size};
  return mapped;
}

MappedFile::~MappedFile() {
  if (!bytes_.empty()) munmap(const_cast<std::uint8_t*>(bytes_.data()), bytes_.size());
}

Result<std::unique_ptr<AtomicFile>> AtomicFile::Create(const std::string& path) {
  const std::string temporary = path + ".tmp." + std::to_string(getpid());
  const int fd = open(temporary.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
  if (fd < 0) return ErrnoStatus("creating", temporary);
  return std::unique_ptr<AtomicFile>(new AtomicFile(path, temporary, fd));
}

AtomicFile::~AtomicFile() {
  if (fd_ < 0) return;
  close(fd_);
  unlink(temporary_.c_str());
}

Status AtomicFile::Append(std::span<const std::uint8_t> bytes) {
  constexpr std::size_t kPieceMax = std::size_t{1} << 26;
  while (!bytes.empty()) {
    const ssize_t written = write(fd_, bytes.data(), std::min(bytes.size(), kPieceMax));
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return ErrnoStatus("writing", temporary_);
    bytes = bytes.subspan(static_cast<std::size_t>(written));
  }
  return OkStatus();
}

Status AtomicFile::Commit() {
  if (fsync(fd_) != 0) return ErrnoStatus("syncing", temporary_);
  if (rename(temporary_.c_str(), path_.c_str()) != 0)
    return ErrnoStatus("renaming \"" + temporary_ + "\" to", path_);
  close(fd_);
  fd_ = -1;
  return OkStatus();
}

Status SyncFolder(const std::string& folder) {
  const Descriptor file(folder, O_RDONLY | O_DIRECTORY);
  if (file.fd() < 0 || fsync(file.fd()) != 0) return ErrnoStatus("syncing folder", folder);
  return OkStatus();
}

}  // namespace emend::storage::checkpoint
