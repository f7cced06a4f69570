#include "storage/base/memory_file_system.h"

namespace emend {

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
  const std::string prefix = folder + "/";
  std::vector<std::string> names;
  for (const auto& [path, bytes] : files_) {
    if (path.starts_with(prefix) && path.find('/', prefix.size()) == std::string::npos)
      names.push_back(path.substr(prefix.size()));
  }
  return names;
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

void MemoryFileSystem::FailNextWrites(int count) {
  const std::lock_guard lock(mutex_);
  failures_left_ = count;
}

}  // namespace emend
