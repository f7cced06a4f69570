// ExportCheckpoint: the folder again, with some tensors' bytes replaced in place.
#include <algorithm>
#include <filesystem>
#include <map>

#include "storage/checkpoint/file_io.h"
#include "storage/checkpoint/safetensors.h"

namespace emend::storage::checkpoint {
namespace {

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

Status FilesystemStatus(const std::string& what, const std::string& path,
                        const std::error_code& error) {
  const std::string message = what + " \"" + path + "\": " + error.message();
  if (error == std::errc::no_space_on_device) return ResourceExhausted(message);
  return Unavailable(message);
}

bool IsNewOrEmpty(const std::string& folder) {
  std::error_code error;
  if (!std::filesystem::exists(folder, error)) return true;
  return std::filesystem::is_directory(folder, error) && std::filesystem::is_empty(folder, error);
}

// Empty, whatever an export that was cut short has left there.
Status PrepareFolder(const std::string& folder) {
  std::error_code error;
  std::filesystem::remove_all(folder, error);
  if (!error) std::filesystem::create_directories(folder, error);
  if (error) return FilesystemStatus("creating the export folder", folder, error);
  return OkStatus();
}

// The folder under its final name, also after a power cut.
Status Publish(const std::string& incoming, const std::filesystem::path& folder) {
  std::error_code error;
  std::filesystem::rename(incoming, folder, error);
  if (error) return FilesystemStatus("renaming \"" + incoming + "\" to", folder, error);
  return SyncFolder(folder.has_parent_path() ? folder.parent_path().string() : ".");
}

// The checkpoint's own files last.
Result<std::vector<std::string>> FilesInCopyOrder(const Checkpoint& checkpoint) {
  std::vector<std::string> names;
  std::error_code error;
  for (auto it = std::filesystem::directory_iterator(checkpoint.folder(), error);
       !error && it != std::filesystem::directory_iterator(); it.increment(error)) {
    std::error_code unreadable;
    const std::string name = it->path().filename().string();
    const bool is_weights = std::find(checkpoint.files().begin(), checkpoint.files().end(), name) !=
                            checkpoint.files().end();
    if (it->is_regular_file(unreadable) && !is_weights) names.push_back(name);
  }
  if (error) return FilesystemStatus("listing the checkpoint", checkpoint.folder(), error);
  std::sort(names.begin(), names.end());
  names.insert(names.end(), checkpoint.files().begin(), checkpoint.files().end());
  return names;
}

Status CopyPatched(const std::string& from, const std::string& to,
                   const std::vector<Patch>& patches) {
  EMEND_ASSIGN_OR_RETURN(const std::unique_ptr<MappedFile> source, MappedFile::Open(from));
  EMEND_ASSIGN_OR_RETURN(const std::unique_ptr<AtomicFile> out, AtomicFile::Create(to));
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
  return out->Commit();
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

// Whether the folder holds these files and no others, each as it would be exported.
Result<bool> HoldsTheSame(const Checkpoint& checkpoint, const std::vector<std::string>& names,
                          const Patches& patches, const std::string& folder) {
  std::error_code error;
  std::size_t count = 0;
  for (auto it = std::filesystem::directory_iterator(folder, error);
       !error && it != std::filesystem::directory_iterator(); it.increment(error))
    ++count;
  if (error || count != names.size()) return false;
  for (const std::string& name : names) {
    const auto found = patches.find(name);
    EMEND_ASSIGN_OR_RETURN(
        const bool same,
        IsCopyPatched(checkpoint.folder() + "/" + name, folder + "/" + name,
                      found == patches.end() ? std::vector<Patch>() : found->second));
    if (!same) return false;
  }
  return true;
}

}  // namespace

Status ExportCheckpoint(const Checkpoint& checkpoint, std::span<const Replacement> replacements,
                        const std::string& out_folder) {
  EMEND_ASSIGN_OR_RETURN(const Patches patches, PlanPatches(checkpoint, replacements));
  EMEND_ASSIGN_OR_RETURN(const std::vector<std::string> names, FilesInCopyOrder(checkpoint));
  if (!IsNewOrEmpty(out_folder)) {
    EMEND_ASSIGN_OR_RETURN(const bool is_done,
                           HoldsTheSame(checkpoint, names, patches, out_folder));
    if (is_done) return OkStatus();
    return {StatusCode::kAlreadyExists, "folder_not_empty",
            "exporting to \"" + out_folder +
                "\": the folder holds something else; name a new or an empty one"};
  }
  const std::string incoming = out_folder + ".incoming";
  EMEND_RETURN_IF_ERROR(PrepareFolder(incoming));
  for (const std::string& name : names) {
    const auto found = patches.find(name);
    const std::vector<Patch> none;
    EMEND_RETURN_IF_ERROR(CopyPatched(checkpoint.folder() + "/" + name, incoming + "/" + name,
                                      found == patches.end() ? none : found->second));
  }
  EMEND_RETURN_IF_ERROR(SyncFolder(incoming));
  return Publish(incoming, out_folder);
}

}  // namespace emend::storage::checkpoint
