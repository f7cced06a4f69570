#include "tests/support/crash_file_system.h"

#include <filesystem>
#include <fstream>
#include <iterator>

#include "storage/base/check.h"

namespace emend::test {
namespace {

using rocksdb::IODebugContext;
using rocksdb::IOOptions;
using rocksdb::IOStatus;
using rocksdb::Slice;

std::string FolderOf(const std::string& path) {
  return std::filesystem::path(path).parent_path().string();
}

std::optional<std::string> ReadIfThere(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) return std::nullopt;
  return std::string(std::istreambuf_iterator<char>(file), {});
}

IOStatus FaultStatus(Fault fault) {
  if (fault == Fault::kNoSpace) return IOStatus::NoSpace("the test filled the disk");
  return IOStatus::IOError(fault == Fault::kPowerCut ? "the test cut the power"
                                                     : "the test made the disk fail");
}

class CrashWritableFile final : public rocksdb::FSWritableFileWrapper {
 public:
  CrashWritableFile(CrashFileSystem& disk, std::string path,
                    std::unique_ptr<rocksdb::FSWritableFile> file)
      : FSWritableFileWrapper(file.get()),
        disk_(disk),
        path_(std::move(path)),
        file_(std::move(file)) {}

  IOStatus Append(const Slice& data, const IOOptions& options, IODebugContext* debug) override {
    IOStatus status = disk_.PassChange();
    if (status.ok()) status = file_->Append(data, options, debug);
    if (status.ok()) disk_.NoteSize(path_, size_ += data.size());
    return status;
  }
  IOStatus Append(const Slice& data, const IOOptions& options, const rocksdb::DataVerificationInfo&,
                  IODebugContext* debug) override {
    return Append(data, options, debug);
  }
  IOStatus Sync(const IOOptions&, IODebugContext*) override {
    IOStatus status = disk_.PassSync();
    if (status.ok()) disk_.NoteSync(path_);
    return status;
  }
  IOStatus Fsync(const IOOptions& options, IODebugContext* debug) override {
    return Sync(options, debug);
  }
  IOStatus RangeSync(std::uint64_t, std::uint64_t, const IOOptions&, IODebugContext*) override {
    return IOStatus::OK();
  }

 private:
  CrashFileSystem& disk_;
  const std::string path_;
  const std::unique_ptr<rocksdb::FSWritableFile> file_;
  std::uint64_t size_ = 0;
};

class CrashFolder final : public rocksdb::FSDirectoryWrapper {
 public:
  CrashFolder(CrashFileSystem& disk, std::string path, std::unique_ptr<rocksdb::FSDirectory> folder)
      : FSDirectoryWrapper(std::move(folder)), disk_(disk), path_(std::move(path)) {}

  IOStatus Fsync(const IOOptions&, IODebugContext*) override {
    IOStatus status = disk_.PassSync();
    if (status.ok()) disk_.NoteFolderSync(path_);
    return status;
  }
  IOStatus FsyncWithDirOptions(const IOOptions& options, IODebugContext* debug,
                               const rocksdb::DirFsyncOptions&) override {
    return Fsync(options, debug);
  }

 private:
  CrashFileSystem& disk_;
  const std::string path_;
};

}  // namespace

void CrashFileSystem::FailAt(int nth, Fault fault) {
  const std::lock_guard lock(mutex_);
  changes_left_ = nth;
  fault_ = fault;
}

void CrashFileSystem::FailNextSync(Fault fault) {
  const std::lock_guard lock(mutex_);
  sync_fault_ = fault;
}

int CrashFileSystem::changes() const {
  const std::lock_guard lock(mutex_);
  return changes_;
}

bool CrashFileSystem::down() const {
  const std::lock_guard lock(mutex_);
  return down_;
}

IOStatus CrashFileSystem::PassChange() {
  const std::lock_guard lock(mutex_);
  if (down_) return FaultStatus(Fault::kPowerCut);
  ++changes_;
  if (fault_ == Fault::kNone || --changes_left_ > 0) return IOStatus::OK();
  const Fault fault = std::exchange(fault_, Fault::kNone);
  down_ = fault == Fault::kPowerCut;
  return FaultStatus(fault);
}

IOStatus CrashFileSystem::PassSync() {
  IOStatus status = PassChange();
  const std::lock_guard lock(mutex_);
  if (!status.ok() || sync_fault_ == Fault::kNone) return status;
  return FaultStatus(std::exchange(sync_fault_, Fault::kNone));
}

void CrashFileSystem::NoteSize(const std::string& path, std::uint64_t size) {
  const std::lock_guard lock(mutex_);
  files_[path].size = size;
}

void CrashFileSystem::NoteSync(const std::string& path) {
  const std::lock_guard lock(mutex_);
  files_[path].synced = files_[path].size;
}

void CrashFileSystem::NoteFolderSync(const std::string& folder) {
  const std::lock_guard lock(mutex_);
  for (auto& [path, file] : files_) file.named = file.named || FolderOf(path) == folder;
  std::erase_if(replaced_, [&](const auto& entry) { return FolderOf(entry.first) == folder; });
  std::erase_if(moved_, [&](const auto& move) { return FolderOf(move.second) == folder; });
}

IOStatus CrashFileSystem::NewWritableFile(const std::string& path,
                                          const rocksdb::FileOptions& options,
                                          std::unique_ptr<rocksdb::FSWritableFile>* result,
                                          IODebugContext* debug) {
  IOStatus status = PassChange();
  if (status.ok()) status = target()->NewWritableFile(path, options, result, debug);
  if (!status.ok()) return status;
  {
    const std::lock_guard lock(mutex_);
    files_[path] = File();
  }
  *result = std::make_unique<CrashWritableFile>(*this, path, std::move(*result));
  return status;
}

IOStatus CrashFileSystem::NewDirectory(const std::string& path, const IOOptions& options,
                                       std::unique_ptr<rocksdb::FSDirectory>* result,
                                       IODebugContext* debug) {
  IOStatus status = target()->NewDirectory(path, options, result, debug);
  if (status.ok())
    *result = std::make_unique<CrashFolder>(
        *this, std::filesystem::path(path + "/").parent_path().string(), std::move(*result));
  return status;
}

IOStatus CrashFileSystem::RenameFile(const std::string& from, const std::string& to,
                                     const IOOptions& options, IODebugContext* debug) {
  IOStatus status = PassChange();
  std::optional<std::string> before = ReadIfThere(to);
  if (status.ok()) status = target()->RenameFile(from, to, options, debug);
  if (!status.ok()) return status;
  const std::lock_guard lock(mutex_);
  if (std::filesystem::is_directory(to)) {
    NoteFolderMove(from, to);
    return status;
  }
  replaced_.try_emplace(to, std::move(before));
  files_[to] = files_[from];
  files_[to].named = true;  // whether the name stands is replaced_'s to say
  files_.erase(from);
  return status;
}

void CrashFileSystem::NoteFolderMove(const std::string& from, const std::string& to) {
  moved_.emplace_back(from, to);
  std::map<std::string, File> files;
  for (const auto& [path, file] : files_)
    files[path.starts_with(from + "/") ? to + path.substr(from.size()) : path] = file;
  files_ = std::move(files);
}

IOStatus CrashFileSystem::DeleteFile(const std::string& path, const IOOptions& options,
                                     IODebugContext* debug) {
  IOStatus status = PassChange();
  if (status.ok()) status = target()->DeleteFile(path, options, debug);
  if (!status.ok()) return status;
  const std::lock_guard lock(mutex_);
  files_.erase(path);
  return status;
}

void CrashFileSystem::LoseTail(const std::string& path, const File& file, std::mt19937& random,
                               Tails tails) {
  if (!std::filesystem::exists(path)) return;
  if (!file.named && (tails == Tails::kDropped || random() % 2 == 0)) {
    std::filesystem::remove(path);
    return;
  }
  const std::uint64_t unsynced = file.size - file.synced;
  const std::uint64_t kept = tails == Tails::kDropped ? 0 : random() % (unsynced + 1);
  if (kept < unsynced) std::filesystem::resize_file(path, file.synced + kept);
}

void CrashFileSystem::LoseUnsynced(std::mt19937& random, Tails tails) {
  const std::lock_guard lock(mutex_);
  for (const auto& [path, file] : files_) LoseTail(path, file, random, tails);
  for (const auto& [path, before] : replaced_) {
    if (tails == Tails::kTorn && random() % 2 == 0) continue;
    std::filesystem::remove(path);
    if (before) std::ofstream(path, std::ios::binary) << *before;
  }
  for (auto move = moved_.rbegin(); move != moved_.rend(); ++move) {
    if (tails == Tails::kDropped || random() % 2 == 0)
      std::filesystem::rename(move->second, move->first);
  }
  files_.clear();
  moved_.clear();
  replaced_.clear();
  fault_ = Fault::kNone;
  sync_fault_ = Fault::kNone;
  down_ = false;
}

}  // namespace emend::test
