#include "tests/support/memory_file_system.h"

#include <algorithm>
#include <utility>

namespace emend::test {
namespace {

class MemoryNewFile final : public NewFile {
 public:
  MemoryNewFile(FileSystem& files, std::string path) : files_(files), path_(std::move(path)) {}
  Status Append(std::span<const std::uint8_t> bytes) override {
    return files_.AppendSynced(path_, {reinterpret_cast<const char*>(bytes.data()), bytes.size()});
  }
  Status Sync() override { return OkStatus(); }

 private:
  FileSystem& files_;
  const std::string path_;
};

bool IsBelow(const std::string& path, const std::string& folder) {
  return path.starts_with(folder + "/");
}

}  // namespace

Result<std::string> MemoryFileSystem::Read(const std::string& path) {
  const std::lock_guard lock(mutex_);
  const auto found = files_.find(path);
  if (found == files_.end()) return NotFound("opening \"" + path + "\": no such file");
  return found->second;
}

Status MemoryFileSystem::TakeFailure(const std::string& path) {
  if (failures_left_ == 0) return OkStatus();
  --failures_left_;
  return ResourceExhausted("writing \"" + path + "\": the test let this write fail");
}

Status MemoryFileSystem::AppendSynced(const std::string& path, std::string_view bytes) {
  const std::lock_guard lock(mutex_);
  EMEND_RETURN_IF_ERROR(TakeFailure(path));
  files_[path].append(bytes);
  return OkStatus();
}

Status MemoryFileSystem::WriteAtomically(const std::string& path, std::string_view bytes,
                                         std::uint32_t) {
  const std::lock_guard lock(mutex_);
  EMEND_RETURN_IF_ERROR(TakeFailure(path));
  files_[path] = std::string(bytes);
  return OkStatus();
}

Status MemoryFileSystem::CreateFolders(const std::string&) { return OkStatus(); }

Result<std::vector<std::string>> MemoryFileSystem::List(const std::string& folder) {
  const std::lock_guard lock(mutex_);
  std::set<std::string> names;
  const auto add = [&](const std::string& path) {
    if (!IsBelow(path, folder)) return;
    const std::size_t begin = folder.size() + 1;
    names.insert(path.substr(begin, path.find('/', begin) - begin));
  };
  for (const auto& [path, bytes] : files_) add(path);
  for (const std::string& path : folders_) add(path);
  return std::vector<std::string>(names.begin(), names.end());
}

Status MemoryFileSystem::Remove(const std::string& path) {
  const std::lock_guard lock(mutex_);
  files_.erase(path);
  return OkStatus();
}

Result<std::uint64_t> MemoryFileSystem::Size(const std::string& path) {
  EMEND_ASSIGN_OR_RETURN(const std::string bytes, Read(path));
  return static_cast<std::uint64_t>(bytes.size());
}

Result<std::uint64_t> MemoryFileSystem::FreeBytes(const std::string&) {
  return std::uint64_t{1} << 40;
}

EntryKind MemoryFileSystem::KindOf(const std::string& path) const {
  if (files_.contains(path)) return EntryKind::kFile;
  const auto below = files_.lower_bound(path + "/");
  const bool holds_some = below != files_.end() && IsBelow(below->first, path);
  return holds_some || folders_.contains(path) ? EntryKind::kFolder : EntryKind::kNone;
}

Result<EntryKind> MemoryFileSystem::Look(const std::string& path) {
  const std::lock_guard lock(mutex_);
  return KindOf(path);
}

Status MemoryFileSystem::CreateFolder(const std::string& path) {
  const std::lock_guard lock(mutex_);
  EMEND_RETURN_IF_ERROR(TakeFailure(path));
  if (KindOf(path) != EntryKind::kNone)
    return {StatusCode::kAlreadyExists, "creating folder \"" + path + "\": the name is taken"};
  folders_.insert(path);
  return OkStatus();
}

Result<std::unique_ptr<NewFile>> MemoryFileSystem::CreateFile(const std::string& path) {
  const std::lock_guard lock(mutex_);
  EMEND_RETURN_IF_ERROR(TakeFailure(path));
  if (KindOf(path) != EntryKind::kNone)
    return Status(StatusCode::kAlreadyExists, "creating \"" + path + "\": the name is taken");
  files_[path] = "";
  return std::unique_ptr<NewFile>(std::make_unique<MemoryNewFile>(*this, path));
}

Status MemoryFileSystem::Rename(const std::string& from, const std::string& to) {
  const std::lock_guard lock(mutex_);
  EMEND_RETURN_IF_ERROR(TakeFailure(to));
  const std::string what = "renaming \"" + from + "\" to \"" + to + "\": ";
  if (KindOf(from) == EntryKind::kNone) return NotFound(what + "there is no such file");
  if (KindOf(to) != EntryKind::kNone)
    return {StatusCode::kAlreadyExists, what + "the name is taken"};
  const auto moves = [&](const std::string& path) { return path == from || IsBelow(path, from); };
  std::map<std::string, std::string> files;
  for (auto& [path, bytes] : files_)
    files[moves(path) ? to + path.substr(from.size()) : path] = std::move(bytes);
  std::set<std::string> folders;
  for (const std::string& path : folders_)
    folders.insert(moves(path) ? to + path.substr(from.size()) : path);
  files_ = std::move(files);
  folders_ = std::move(folders);
  return OkStatus();
}

Status MemoryFileSystem::RemoveFolder(const std::string& path) {
  const std::lock_guard lock(mutex_);
  const auto is_inside = [&](const std::string& folder) { return IsBelow(folder, path); };
  const auto below = files_.lower_bound(path + "/");
  if ((below != files_.end() && is_inside(below->first)) ||
      std::ranges::any_of(folders_, is_inside))
    return {StatusCode::kFailedPrecondition,
            "removing folder \"" + path + "\": it still holds something"};
  folders_.erase(path);
  return OkStatus();
}

Status MemoryFileSystem::SyncFolder(const std::string&) { return OkStatus(); }

void MemoryFileSystem::FailNextWrites(int count) {
  const std::lock_guard lock(mutex_);
  failures_left_ = count;
}

}  // namespace emend::test
