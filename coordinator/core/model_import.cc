#include "coordinator/core/model_import.h"

#include <algorithm>
#include <filesystem>
#include <fstream>

#include "coordinator/core/state_builder.h"
#include "storage/base/file_system.h"
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

Result<Digest> HashFile(const fs::path& path) {
  std::ifstream in(path, std::ios::binary);
  Sha256Hasher hasher;
  std::string buffer(1 << 20, '\0');
  while (in.read(buffer.data(), static_cast<std::streamsize>(buffer.size())), in.gcount() > 0) {
    hasher.Update(std::string_view(buffer).substr(0, static_cast<std::size_t>(in.gcount())));
  }
  if (in.bad() || !in.eof()) return Unavailable("importing a model: reading \"" + path.string() + "\" failed");
  return hasher.Finish();
}

Result<BaseTensor> DescribeTensor(const TensorView& view) {
  const TensorShape shape = ShapeOf(view);
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
    EMEND_ASSIGN_OR_RETURN(base.files[entry.path().filename().string()], HashFile(entry.path()));
  }
  if (error) return Unavailable("importing the model in \"" + source + "\": listing it failed: " + error.message());
  return base;
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
  std::error_code error;
  if (fs::is_directory(model.folder, error)) return model;
  // ExportCheckpoint without replacements is an exact copy; the rename makes it appear whole.
  const std::string incoming = model.folder + ".incoming";
  fs::remove_all(incoming, error);
  EMEND_RETURN_IF_ERROR(PosixFileSystem().CreateFolders(layout.models()));
  EMEND_RETURN_IF_ERROR(storage::checkpoint::ExportCheckpoint(*checkpoint, {}, incoming));
  fs::rename(incoming, model.folder, error);
  if (error) return Unavailable("importing the model in \"" + source + "\": moving the copy to \"" + model.folder + "\" failed: " + error.message());
  return model;
}

Result<std::shared_ptr<const Checkpoint>> OpenBase(const StoreLayout& layout, const BaseId& id) {
  Result<std::unique_ptr<Checkpoint>> opened = Checkpoint::Open(layout.model_folder(id));
  if (!opened.ok()) return DataLoss("opening the stored base " + id.Short() + ": " + opened.status().message());
  return std::shared_ptr<const Checkpoint>(std::move(opened).value());
}

}  // namespace emend::coordinator::core
