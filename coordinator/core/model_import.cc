#include "coordinator/core/model_import.h"

#include <filesystem>

#include "coordinator/core/state_builder.h"
#include "storage/base/file_system.h"
#include "storage/checkpoint/file_digests.h"
#include "storage/checkpoint/safetensors.h"
#include "storage/delta/rebuild.h"
#include "storage/delta/tile_digest.h"

namespace emend::coordinator::core {
namespace {

namespace fs = std::filesystem;
using storage::checkpoint::Checkpoint;
using storage::checkpoint::TensorView;
using storage::delta::TensorShape;
using storage::objects::Base;
using storage::objects::BaseTensor;

Status CheckHasFile(const std::string& folder, const char* name) {
  std::error_code error;
  if (fs::is_regular_file(folder + "/" + name, error)) return OkStatus();
  return NotFound("importing the model in \"" + folder + "\": it has no " + name + "; expected a folder in Hugging Face layout");
}

Result<BaseTensor> DescribeTensor(const TensorView& view) {
  const TensorShape shape = storage::delta::Flatten(view.dtype, view.shape);
  BaseTensor tensor{view.dtype, view.shape, {}};
  if (!storage::delta::IsEditable(view.dtype)) {
    EMEND_ASSIGN_OR_RETURN(tensor.root, storage::delta::HashTensor(shape, view.bytes));
    return tensor;
  }
  // The state without edits, rebuilt: also refuses weights that are not finite.
  auto rebuilt = storage::delta::RebuildTensor(shape, view.bytes, {}, /*thread_count=*/1);
  if (!rebuilt.ok()) return rebuilt.status().WithContext("importing the tensor \"" + view.name + "\"");
  tensor.root = rebuilt->digest;
  return tensor;
}

Result<Base> DescribeModel(const std::string& source, const Checkpoint& checkpoint) {
  Base base;
  for (const auto& [name, view] : checkpoint.tensors()) {
    EMEND_ASSIGN_OR_RETURN(base.tensors[name], DescribeTensor(view));
  }
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(source, error)) {
    if (!entry.is_regular_file(error)) continue;
    EMEND_ASSIGN_OR_RETURN(base.files[entry.path().filename().string()], storage::checkpoint::HashFile(entry.path()));
  }
  if (error) return Unavailable("importing the model in \"" + source + "\": listing it failed: " + error.message());
  return base;
}

// A worker may have the damaged files mapped: they leave their names, and live on until it lets go.
Status SetAside(const std::string& folder) {
  const std::string damaged = folder + ".damaged";
  std::error_code error;
  fs::remove_all(damaged, error);
  fs::rename(folder, damaged, error);
  if (error) return Unavailable("replacing the damaged copy in \"" + folder + "\": moving it aside failed: " + error.message());
  fs::remove_all(damaged, error);
  return OkStatus();
}

}  // namespace

Result<ImportedModel> ImportModel(const std::string& source, const StoreLayout& layout) {
  EMEND_RETURN_IF_ERROR(CheckHasFile(source, "config.json"));
  EMEND_RETURN_IF_ERROR(CheckHasFile(source, "tokenizer.json"));
  EMEND_ASSIGN_OR_RETURN(const auto checkpoint, Checkpoint::Open(source));
  ImportedModel model;
  EMEND_ASSIGN_OR_RETURN(model.base, DescribeModel(source, *checkpoint));
  model.id = IdOf(model.base);
  model.folder = layout.model_folder(model.id);
  EMEND_RETURN_IF_ERROR(PosixFileSystem().CreateFolders(layout.models()));
  std::error_code error;
  if (fs::is_directory(model.folder, error)) {
    if (storage::checkpoint::CheckFiles(model.folder, model.base.files).ok()) return model;
    EMEND_RETURN_IF_ERROR(SetAside(model.folder));
  }
  EMEND_RETURN_IF_ERROR(storage::checkpoint::ExportCheckpoint(*checkpoint, {}, model.folder));  // without replacements: an exact copy
  EMEND_RETURN_IF_ERROR(storage::checkpoint::CheckFiles(model.folder, model.base.files).WithContext("importing the model in \"" + source + "\""));
  return model;
}

}  // namespace emend::coordinator::core
