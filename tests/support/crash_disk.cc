#include "tests/support/crash_disk.h"

#include <utility>

namespace emend::test {
namespace {

Status ToStatus(const rocksdb::IOStatus& status) {
  if (status.ok()) return OkStatus();
  return status.IsNoSpace() ? ResourceExhausted(status.ToString()) : Unavailable(status.ToString());
}

class CrashNewFile final : public NewFile {
 public:
  explicit CrashNewFile(std::unique_ptr<rocksdb::FSWritableFile> file) : file_(std::move(file)) {}
  Status Append(std::span<const std::uint8_t> bytes) override {
    return ToStatus(
        file_->Append({reinterpret_cast<const char*>(bytes.data()), bytes.size()}, {}, nullptr));
  }
  Status Sync() override {
    EMEND_RETURN_IF_ERROR(ToStatus(file_->Sync({}, nullptr)));
    return ToStatus(file_->Close({}, nullptr));
  }

 private:
  const std::unique_ptr<rocksdb::FSWritableFile> file_;
};

}  // namespace

Status CrashDisk::CreateFolder(const std::string& path) {
  EMEND_RETURN_IF_ERROR(ToStatus(crash_.PassChange()));
  return PosixFileSystem::CreateFolder(path);
}

Result<std::unique_ptr<NewFile>> CrashDisk::CreateFile(const std::string& path) {
  EMEND_ASSIGN_OR_RETURN(const EntryKind kind, Look(path));
  if (kind != EntryKind::kNone)
    return Status(StatusCode::kAlreadyExists, "creating \"" + path + "\": the name is taken");
  std::unique_ptr<rocksdb::FSWritableFile> file;
  EMEND_RETURN_IF_ERROR(ToStatus(crash_.NewWritableFile(path, {}, &file, nullptr)));
  return std::unique_ptr<NewFile>(std::make_unique<CrashNewFile>(std::move(file)));
}

Status CrashDisk::Rename(const std::string& from, const std::string& to) {
  EMEND_ASSIGN_OR_RETURN(const EntryKind kind, Look(to));
  if (kind != EntryKind::kNone)
    return {StatusCode::kAlreadyExists, "renaming to \"" + to + "\": the name is taken"};
  return ToStatus(crash_.RenameFile(from, to, {}, nullptr));
}

Status CrashDisk::Remove(const std::string& path) {
  EMEND_ASSIGN_OR_RETURN(const EntryKind kind, Look(path));
  if (kind == EntryKind::kNone) return OkStatus();
  return ToStatus(crash_.DeleteFile(path, {}, nullptr));
}

Status CrashDisk::RemoveFolder(const std::string& path) {
  EMEND_RETURN_IF_ERROR(ToStatus(crash_.PassChange()));
  return PosixFileSystem::RemoveFolder(path);
}

Status CrashDisk::SyncFolder(const std::string& path) {
  std::unique_ptr<rocksdb::FSDirectory> folder;
  EMEND_RETURN_IF_ERROR(ToStatus(crash_.NewDirectory(path, {}, &folder, nullptr)));
  return ToStatus(folder->Fsync({}, nullptr));
}

}  // namespace emend::test
