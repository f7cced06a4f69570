#include "storage/base/work_folder.h"

#include <filesystem>
#include <utility>
#include <vector>

#include "storage/base/log.h"

namespace emend {
namespace {

constexpr int kNamesMax = 100;
constexpr char kPrefix[] = ".emend-work-";
constexpr char kMarker[] = "/marker";
constexpr char kContents[] = "/contents";
constexpr char kAside[] = "/aside";

std::string MarkerText(const std::string& owner) {
  return "emend: work under way of " + owner + ", removed when it ends or is run again\n";
}

std::string NameOf(const std::string& parent, const std::string& owner, int number) {
  return parent + "/" + kPrefix + owner + (number == 1 ? "" : "-" + std::to_string(number));
}

// The marker is there before anything else is; a power cut may have torn it.
Result<bool> IsOwn(FileSystem& files, const std::string& path, const std::string& owner) {
  EMEND_ASSIGN_OR_RETURN(const EntryKind kind, files.Look(path));
  if (kind != EntryKind::kFolder) return false;
  EMEND_ASSIGN_OR_RETURN(const std::vector<std::string> names, files.List(path));
  if (names.empty()) return true;
  EMEND_ASSIGN_OR_RETURN(const EntryKind marker, files.Look(path + kMarker));
  if (marker != EntryKind::kFile) return false;
  EMEND_ASSIGN_OR_RETURN(const std::string text, files.Read(path + kMarker));
  return MarkerText(owner).starts_with(text);
}

// Of a folder of one's own. Links are removed, never followed.
Status RemoveContents(FileSystem& files, const std::string& path) {
  EMEND_RETURN_IF_ERROR(RemoveTree(files, path + kAside));
  return RemoveTree(files, path + kContents);
}

// The marker last: whatever ends this, what is left is still known as one's own.
Status RemoveOwn(FileSystem& files, const std::string& path) {
  EMEND_RETURN_IF_ERROR(RemoveContents(files, path));
  EMEND_RETURN_IF_ERROR(files.SyncFolder(path));
  EMEND_RETURN_IF_ERROR(files.Remove(path + kMarker));
  return files.RemoveFolder(path);
}

Status WriteMarker(FileSystem& files, const std::string& path, const std::string& owner) {
  EMEND_RETURN_IF_ERROR(files.Remove(path + kMarker));
  EMEND_ASSIGN_OR_RETURN(const std::unique_ptr<NewFile> marker, files.CreateFile(path + kMarker));
  const std::string text = MarkerText(owner);
  EMEND_RETURN_IF_ERROR(
      marker->Append({reinterpret_cast<const std::uint8_t*>(text.data()), text.size()}));
  EMEND_RETURN_IF_ERROR(marker->Sync());
  return files.SyncFolder(path);
}

}  // namespace

bool WorkFolder::IsName(std::string_view name) { return name.starts_with(kPrefix); }

WorkFolder::WorkFolder(FileSystem& files, std::string path)
    : files_(files), path_(std::move(path)), contents_(path_ + kContents) {}

WorkFolder::~WorkFolder() {
  const Status removed = RemoveOwn(files_, path_);
  if (!removed.ok()) LogWarning("work_folder_left", {{"path", path_}, {"status", removed}});
}

Result<std::optional<std::string>> WorkFolder::Find(FileSystem& files, const std::string& parent,
                                                    const std::string& owner) {
  for (int number = 1; number <= kNamesMax; ++number) {
    const std::string path = NameOf(parent, owner, number);
    EMEND_ASSIGN_OR_RETURN(const EntryKind kind, files.Look(path));
    if (kind == EntryKind::kNone) break;
    EMEND_ASSIGN_OR_RETURN(const bool is_own, IsOwn(files, path, owner));
    if (is_own) return std::optional(path);
  }
  return std::optional<std::string>();
}

Status WorkFolder::RemoveLeft(FileSystem& files, const std::string& parent,
                              const std::string& owner) {
  EMEND_ASSIGN_OR_RETURN(const std::optional<std::string> left, Find(files, parent, owner));
  return left ? RemoveOwn(files, *left) : OkStatus();
}

Result<std::unique_ptr<WorkFolder>> WorkFolder::Create(FileSystem& files, const std::string& parent,
                                                       const std::string& owner) {
  EMEND_ASSIGN_OR_RETURN(std::optional<std::string> path, Find(files, parent, owner));
  for (int number = 1; !path && number <= kNamesMax; ++number) {
    const std::string name = NameOf(parent, owner, number);
    const Status created = files.CreateFolder(name);
    if (created.ok()) path = name;
    if (!created.ok() && created.code() != StatusCode::kAlreadyExists) return created;
  }
  if (!path) {
    return Status(StatusCode::kAlreadyExists,
                  "making a work folder in \"" + parent + "\": the names from \"" +
                      NameOf(parent, owner, 1) + "\" to \"" + NameOf(parent, owner, kNamesMax) +
                      "\" are taken by others");
  }
  // from here on a failure removes what is there
  std::unique_ptr<WorkFolder> work(new WorkFolder(files, *path));
  EMEND_RETURN_IF_ERROR(WriteMarker(files, *path, owner));
  EMEND_RETURN_IF_ERROR(RemoveContents(files, *path));
  EMEND_RETURN_IF_ERROR(files.CreateFolder(work->contents()));
  return work;
}

Status WorkFolder::PublishAs(const std::string& folder) {
  EMEND_RETURN_IF_ERROR(files_.SyncFolder(contents_));
  EMEND_RETURN_IF_ERROR(files_.Rename(contents_, folder));
  Status synced = files_.SyncFolder(std::filesystem::path(folder).parent_path().string());
  if (!synced.ok()) static_cast<void>(files_.Rename(folder, contents_));
  return synced;
}

Status WorkFolder::PublishInto(const std::string& folder, std::span<const std::string> names) {
  Status moved;
  std::size_t count = 0;
  while (moved.ok() && count < names.size()) {
    moved = files_.Rename(contents_ + "/" + names[count], folder + "/" + names[count]);
    if (moved.ok()) ++count;
  }
  if (moved.ok()) moved = files_.SyncFolder(folder);
  if (moved.ok()) return OkStatus();
  for (const std::string& name : names.first(count))
    static_cast<void>(files_.Remove(folder + "/" + name));
  return moved;
}

Status WorkFolder::TakeAside(const std::string& path) {
  return files_.Rename(path, path_ + kAside);
}

}  // namespace emend
