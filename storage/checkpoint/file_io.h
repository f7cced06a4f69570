// Files as checkpoints need them: read by mapping, written under a temporary name and renamed once
// synced. For this folder, and for other large files of tensors.
//
//   EMEND_ASSIGN_OR_RETURN(auto source, MappedFile::Open(path));
//   EMEND_ASSIGN_OR_RETURN(auto out, AtomicFile::Create(other_path));
//   EMEND_RETURN_IF_ERROR(out->Append(source->bytes()));
//   EMEND_RETURN_IF_ERROR(out->Commit());
//
// Errors: kNotFound, kResourceExhausted (no space), kUnavailable (anything else), with the path and
// errno's text. A MappedFile is immutable and thread-safe; an AtomicFile belongs to one thread.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <utility>

#include "storage/base/file_system.h"
#include "storage/base/status.h"

namespace emend::storage::checkpoint {

// A regular file mapped read-only. A file that shrinks while it is mapped is out of scope: reading
// beyond its new end ends the process.
class MappedFile {
 public:
  static Result<std::unique_ptr<MappedFile>> Open(const std::string& path);
  ~MappedFile();
  MappedFile(const MappedFile&) = delete;
  MappedFile& operator=(const MappedFile&) = delete;

  std::span<const std::uint8_t> bytes() const { return bytes_; }

 private:
  explicit MappedFile(std::span<const std::uint8_t> bytes) : bytes_(bytes) {}
  const std::span<const std::uint8_t> bytes_;
};

// Removes its temporary file unless committed.
class AtomicFile {
 public:
  static Result<std::unique_ptr<AtomicFile>> Create(const std::string& path);
  ~AtomicFile();
  AtomicFile(const AtomicFile&) = delete;
  AtomicFile& operator=(const AtomicFile&) = delete;

  Status Append(std::span<const std::uint8_t> bytes) { return file_->Append(bytes); }
  // Synced and renamed to the path. The name itself survives a power cut only once its folder is
  // synced.
  Status Commit();

 private:
  AtomicFile(std::string path, std::string temporary, std::unique_ptr<NewFile> file)
      : path_(std::move(path)), temporary_(std::move(temporary)), file_(std::move(file)) {}

  const std::string path_;
  const std::string temporary_;
  std::unique_ptr<NewFile> file_;  // null once committed
};

}  // namespace emend::storage::checkpoint
