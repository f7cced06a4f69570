// ExportCheckpoint: the folder again, with some tensors' bytes replaced in place.
#include <algorithm>
#include <filesystem>
#include <map>
#include <optional>
#include <utility>

#include "storage/base/work_folder.h"
#include "storage/checkpoint/file_io.h"
#include "storage/checkpoint/safetensors.h"

namespace emend::storage::checkpoint {
namespace {

namespace fs = std::filesystem;

// New bytes at an offset of one file.
struct Patch {
  std::uint64_t offset = 0;
  std::span<const std::uint8_t> bytes;
};
using Patches = std::map<std::string, std::vector<Patch>>;  // file -> by offset

Result<Patches> PlanPatches(const Checkpoint& checkpoint,
                            std::span<const Replacement> replacements) {
  Patches patches;
  for (const Replacement& replacement : replacements) {
    const auto found = checkpoint.tensors().find(replacement.tensor);
    if (found == checkpoint.tensors().end()) {
      return InvalidArgument("exporting \"" + checkpoint.folder() + "\": the replaced tensor \"" +
                             replacement.tensor + "\" is not in the checkpoint");
    }
    const TensorView& view = found->second;
    if (view.bytes.size() != replacement.bytes.size()) {
      return InvalidArgument("exporting \"" + checkpoint.folder() + "\": found " +
                             std::to_string(replacement.bytes.size()) + " bytes for tensor \"" +
                             view.name + "\", expected " + std::to_string(view.bytes.size()));
    }
    if (!view.bytes.empty()) patches[view.file].push_back({view.file_offset, replacement.bytes});
  }
  for (auto& [file, list] : patches) {
    std::sort(list.begin(), list.end(),
              [](const Patch& x, const Patch& y) { return x.offset < y.offset; });
    for (std::size_t i = 1; i < list.size(); ++i) {
      if (list[i].offset == list[i - 1].offset)
        return InvalidArgument("exporting \"" + checkpoint.folder() +
                               "\": a tensor is replaced twice");
    }
  }
  return patches;
}

Status CopyPatched(FileSystem& files, const std::string& from, const std::string& to,
                   const std::vector<Patch>& patches) {
  EMEND_ASSIGN_OR_RETURN(const std::unique_ptr<MappedFile> source, MappedFile::Open(from));
  EMEND_ASSIGN_OR_RETURN(const std::unique_ptr<NewFile> out, files.CreateFile(to));
  std::uint64_t cursor = 0;
  for (const Patch& patch : patches) {
    if (patch.offset + patch.bytes.size() > source->bytes().size()) {
      return FailedPrecondition(
          "exporting \"" + from +
          "\": the file is shorter than when it was opened; it must not change while it is in use");
    }
    EMEND_RETURN_IF_ERROR(out->Append(source->bytes().subspan(cursor, patch.offset - cursor)));
    EMEND_RETURN_IF_ERROR(out->Append(patch.bytes));
    cursor = patch.offset + patch.bytes.size();
  }
  EMEND_RETURN_IF_ERROR(out->Append(source->bytes().subspan(cursor)));
  return out->Sync();
}

// Whether CopyPatched has made `copy`. A copy that cannot be read is another.
Result<bool> IsCopyPatched(const std::string& from, const std::string& copy,
                           const std::vector<Patch>& patches) {
  EMEND_ASSIGN_OR_RETURN(const std::unique_ptr<MappedFile> source, MappedFile::Open(from));
  const auto there = MappedFile::Open(copy);
  if (!there.ok() || (*there)->bytes().size() != source->bytes().size()) return false;
  std::uint64_t cursor = 0;
  const auto holds = [&](std::span<const std::uint8_t> bytes) {
    const bool same = std::ranges::equal(bytes, (*there)->bytes().subspan(cursor, bytes.size()));
    cursor += bytes.size();
    return same;
  };
  for (const Patch& patch : patches) {
    if (!holds(source->bytes().subspan(cursor, patch.offset - cursor)) || !holds(patch.bytes))
      return false;
  }
  return holds(source->bytes().subspan(cursor));
}

// What is to be written, and where.
struct Plan {
  const Checkpoint& checkpoint;
  Patches patches;
  std::vector<std::string> names;  // in the order in which they appear

  const std::vector<Patch>& PatchesOf(const std::string& name) const {
    static const std::vector<Patch> kNone;
    const auto found = patches.find(name);
    return found == patches.end() ? kNone : found->second;
  }
  std::string Source(const std::string& name) const { return checkpoint.folder() + "/" + name; }
};

Status NotEmpty(const std::string& folder, const std::string& found) {
  return {StatusCode::kAlreadyExists, "folder_not_empty",
          "exporting to \"" + folder + "\": " + found + "; name a new or an empty folder"};
}

// What a new disk holds by itself.
constexpr char kOfTheDisk[] = "lost+found";

// Those of the plan's files that a folder does not hold yet. kAlreadyExists if it holds anything
// else than the plan's files, each as it would be exported, and `own`, a work folder's name.
Result<std::vector<std::string>> MissingIn(const Plan& plan, const std::vector<std::string>& found,
                                           const std::string& own, const std::string& folder) {
  std::vector<std::string> missing = plan.names;
  for (const std::string& name : found) {
    if (name == own || name == kOfTheDisk) continue;
    const auto place = std::ranges::find(missing, name);
    if (place == missing.end()) return NotEmpty(folder, "it holds \"" + name + "\"");
    EMEND_ASSIGN_OR_RETURN(const bool same, IsCopyPatched(plan.Source(name), folder + "/" + name,
                                                          plan.PatchesOf(name)));
    if (!same) return NotEmpty(folder, "it holds another \"" + name + "\"");
    missing.erase(place);
  }
  return missing;
}

Status CopyAll(FileSystem& files, const Plan& plan, const std::vector<std::string>& names,
               const std::string& to) {
  for (const std::string& name : names) {
    EMEND_RETURN_IF_ERROR(
        CopyPatched(files, plan.Source(name), to + "/" + name, plan.PatchesOf(name)));
  }
  return files.SyncFolder(to);
}

// Into a folder that is there: it keeps its owner and mode, and may be the root of a disk.
Status FillFolder(FileSystem& files, const Plan& plan, const ExportTarget& target) {
  EMEND_ASSIGN_OR_RETURN(const std::optional<std::string> left,
                         WorkFolder::Find(files, target.folder, target.owner));
  const std::string own = left ? fs::path(*left).filename().string() : "";
  EMEND_ASSIGN_OR_RETURN(const std::vector<std::string> found, files.List(target.folder));
  EMEND_ASSIGN_OR_RETURN(const std::vector<std::string> missing,
                         MissingIn(plan, found, own, target.folder));
  // A part of the files is there because an export was cut short, or is another's.
  if (!missing.empty() && missing.size() < plan.names.size() && !left)
    return NotEmpty(target.folder, "it holds some of the files already");
  if (missing.empty()) return WorkFolder::RemoveLeft(files, target.folder, target.owner);
  EMEND_ASSIGN_OR_RETURN(const auto work, WorkFolder::Create(files, target.folder, target.owner));
  EMEND_RETURN_IF_ERROR(CopyAll(files, plan, missing, work->contents()));
  return work->PublishInto(target.folder, missing);
}

// A folder that is not there, with those above it that are not: all appear at once.
Status MakeFolder(FileSystem& files, const Plan& plan, const ExportTarget& target,
                  const std::string& parent) {
  EMEND_ASSIGN_OR_RETURN(const auto work, WorkFolder::Create(files, parent, target.owner));
  const fs::path below = fs::path(target.folder).lexically_relative(parent);
  std::string folder = work->contents();
  for (auto part = std::next(below.begin()); part != below.end(); ++part) {
    const std::string above = std::exchange(folder, folder + "/" + part->string());
    EMEND_RETURN_IF_ERROR(files.CreateFolder(folder));
    EMEND_RETURN_IF_ERROR(files.SyncFolder(above));
  }
  EMEND_RETURN_IF_ERROR(CopyAll(files, plan, plan.names, folder));
  return work->PublishAs((fs::path(parent) / *below.begin()).string());
}

}  // namespace

Result<std::string> ExportWorkPlace(FileSystem& files, const std::string& folder) {
  for (fs::path place = folder; !place.empty(); place = place.parent_path()) {
    EMEND_ASSIGN_OR_RETURN(const EntryKind kind, files.Look(place.string()));
    if (kind == EntryKind::kFolder) return place.string();
    if (kind != EntryKind::kNone)
      return NotEmpty(folder,
                      "\"" + place.string() + "\" is no folder, but a " +
                          (kind == EntryKind::kFile ? "file" : "link whose target is not there"));
    if (place == place.parent_path()) break;
  }
  return NotFound("exporting to \"" + folder + "\": no folder above it is there");
}

Status CheckExportFolder(FileSystem& files, const std::string& folder,
                         const std::set<std::string>& names) {
  EMEND_ASSIGN_OR_RETURN(const std::string place, ExportWorkPlace(files, folder));
  if (place != folder) return OkStatus();
  EMEND_ASSIGN_OR_RETURN(const std::vector<std::string> found, files.List(folder));
  for (const std::string& name : found) {
    if (!names.contains(name) && name != kOfTheDisk && !WorkFolder::IsName(name))
      return NotEmpty(folder, "it holds \"" + name + "\"");
  }
  return OkStatus();
}

Result<ModelFiles> ExportCheckpoint(FileSystem& files, const Checkpoint& checkpoint,
                                    std::span<const Replacement> replacements,
                                    const ExportTarget& target) {
  EMEND_ASSIGN_OR_RETURN(Patches patches, PlanPatches(checkpoint, replacements));
  EMEND_ASSIGN_OR_RETURN(ModelFiles model, ListModelFiles(checkpoint));
  const Plan plan{checkpoint, std::move(patches), model.taken};
  EMEND_ASSIGN_OR_RETURN(const std::string parent, ExportWorkPlace(files, target.folder));
  const bool is_new = parent != target.folder;
  EMEND_RETURN_IF_ERROR(is_new ? MakeFolder(files, plan, target, parent)
                               : FillFolder(files, plan, target));
  std::ranges::sort(model.taken);
  if (is_new) return model;
  // an earlier run may have made the folder, and been cut short before it had removed its own
  for (fs::path above = fs::path(parent).parent_path();; above = above.parent_path()) {
    EMEND_RETURN_IF_ERROR(WorkFolder::RemoveLeft(files, above.string(), target.owner));
    if (above == above.parent_path()) return model;
  }
}

}  // namespace emend::storage::checkpoint
