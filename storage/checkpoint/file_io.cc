#include "storage/checkpoint/file_io.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

namespace emend::storage::checkpoint {
namespace {

Result<std::span<const std::uint8_t>> Map(int fd, const std::string& path) {
  struct stat info{};
  if (fstat(fd, &info) != 0) return ErrnoStatus("asking for the size of", path);
  if (!S_ISREG(info.st_mode))
    return InvalidArgument("mapping \"" + path + "\": expected a regular file");
  if (info.st_size == 0) return std::span<const std::uint8_t>();
  const auto size = static_cast<std::size_t>(info.st_size);
  void* address = mmap(nullptr, size, PROT_READ, MAP_PRIVATE, fd, 0);
  if (address == MAP_FAILED) return ErrnoStatus("mapping", path);
  return std::span(static_cast<const std::uint8_t*>(address), size);
}

}  // namespace

Result<std::unique_ptr<MappedFile>> MappedFile::Open(const std::string& path) {
  const int fd = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) return ErrnoStatus("opening", path);
  const Result<std::span<const std::uint8_t>> bytes = Map(fd, path);
  close(fd);
  EMEND_RETURN_IF_ERROR(bytes.status());
  return std::unique_ptr<MappedFile>(new MappedFile(*bytes));
}

MappedFile::~MappedFile() {
  if (!bytes_.empty()) munmap(const_cast<std::uint8_t*>(bytes_.data()), bytes_.size());
}

Result<std::unique_ptr<AtomicFile>> AtomicFile::Create(const std::string& path) {
  const std::string temporary = path + ".tmp." + std::to_string(getpid());
  PosixFileSystem files;
  EMEND_RETURN_IF_ERROR(files.Remove(temporary));  // of another process that had this number
  EMEND_ASSIGN_OR_RETURN(std::unique_ptr<NewFile> file, files.CreateFile(temporary));
  return std::unique_ptr<AtomicFile>(new AtomicFile(path, temporary, std::move(file)));
}

AtomicFile::~AtomicFile() {
  if (file_ != nullptr) unlink(temporary_.c_str());
}

Status AtomicFile::Commit() {
  EMEND_RETURN_IF_ERROR(file_->Sync());
  if (rename(temporary_.c_str(), path_.c_str()) != 0)
    return ErrnoStatus("renaming \"" + temporary_ + "\" to", path_);
  file_.reset();
  return OkStatus();
}

}  // namespace emend::storage::checkpoint
