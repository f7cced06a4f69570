#include "coordinator/core/model_import.h"

#include <filesystem>

#include "coordinator/core/gguf_import.h"
#include "coordinator/core/loadable_model.h"
#include "coordinator/core/state_builder.h"
#include "storage/base/work_folder.h"
#include "storage/checkpoint/file_digests.h"
#include "storage/checkpoint/safetensors.h"
#include "storage/checkpoint/tile_file.h"
#include "storage/delta/rebuild.h"
#include "storage/delta/tile_digest.h"

namespace emend::coordinator::core {
namespace {

namespace fs = std::filesystem;
using storage::checkpoint::Checkpoint;
using storage::checkpoint::TensorView;
using storage::checkpoint::TileLeaves;
using storage::delta::TensorRange;
using storage::delta::TensorShape;
using storage::delta::TileLeaf;
using storage::objects::Base;
using storage::objects::BaseTensor;

// Where a link of the folder leads. Other copies of the weights are left out and never read,
// wherever they are.
Status CheckLink(const fs::path& link, const StoreLayout& layout) {
  std::error_code error;
  const std::string name = link.filename().string();
  const fs::file_status target = fs::status(link, error);
  const bool is_read = !storage::checkpoint::IsWeightsName(name) ||
                       link.extension() == ".safetensors" ||
                       name.ends_with(".safetensors.index.json");
  if (fs::is_directory(target) || !is_read) return OkStatus();
  if (target.type() == fs::file_type::not_found) {
    return {StatusCode::kNotFound, "dangling_link",
            "importing the model in \"" + link.parent_path().string() + "\": " + name +
                " is a link whose target is not there"};
  }
  return layout.Admit(link.string())
      .status()
      .WithContext("importing the model in \"" + link.parent_path().string() + "\": " + name +
                   " is a link");
}

Status CheckLinks(const std::string& source, const StoreLayout& layout) {
  std::error_code error;
  for (auto it = fs::directory_iterator(source, error); !error && it != fs::directory_iterator();
       it.increment(error)) {
    if (it->is_symlink(error)) EMEND_RETURN_IF_ERROR(CheckLink(it->path(), layout));
  }
  return OkStatus();  // a folder that cannot be listed is told by what is missing
}

// The leaves of the tensor's digest, in index order.
Result<std::vector<TileLeaf>> HashTensor(const TensorView& view, const TensorShape& shape) {
  if (!storage::delta::IsEditable(view.dtype))
    return storage::delta::HashTiles(shape, TensorRange{0, shape.rows, 0, shape.cols}, view.bytes);
  // The state without edits, rebuilt: also refuses weights that are not finite.
  auto rebuilt = storage::delta::RebuildTensor(shape, view.bytes, {}, /*thread_count=*/1);
  if (!rebuilt.ok())
    return rebuilt.status().WithContext("importing the tensor \"" + view.name + "\"");
  return std::move(rebuilt->leaves);
}

// A model, and the leaves of its tensors' digests.
struct Description {
  Base base;
  TileLeaves leaves;
};

Status DescribeTensors(const Checkpoint& checkpoint, Description& description) {
  for (const auto& [name, view] : checkpoint.tensors()) {
    const TensorShape shape = storage::delta::Flatten(view.dtype, view.shape);
    EMEND_ASSIGN_OR_RETURN(std::vector<TileLeaf> leaves, HashTensor(view, shape));
    EMEND_ASSIGN_OR_RETURN(const Digest root, storage::delta::TensorRoot(shape, leaves));
    description.base.tensors[name] = BaseTensor{view.dtype, view.shape, root};
    description.leaves[name] = std::move(leaves);
  }
  return OkStatus();
}

Result<Description> DescribeModel(const Checkpoint& checkpoint,
                                  const std::vector<std::string>& files) {
  Description description;
  EMEND_RETURN_IF_ERROR(DescribeTensors(checkpoint, description));
  for (const std::string& name : files) {
    EMEND_ASSIGN_OR_RETURN(description.base.files[name],
                           storage::checkpoint::HashFile(checkpoint.folder() + "/" + name));
  }
  return description;
}

// A worker compares the values. Those of another dtype are left to it.
Status CheckTiedHead(const LoadableModel& model, const Base& base) {
  const auto head = base.tensors.find(model.plan.layout.head.name);
  if (!model.plan.config.tied_head || head == base.tensors.end()) return OkStatus();
  const BaseTensor& embedding = base.tensors.at(model.plan.layout.token_embedding.name);
  if (head->second.dtype != embedding.dtype || head->second.root == embedding.root)
    return OkStatus();
  return worker::families::UntiedHead(model.plan, model.checkpoint->folder());
}

// What is imported, and by whom.
struct Source {
  std::string folder;
  WorkFolder* converted = nullptr;  // the folder, if it was made for this import in the store
  std::string owner;
};

// The store's copy, whole and as described. A worker may have the files of a damaged one mapped:
// they leave their names, and live on until it lets go.
Status CopyModel(FileSystem& files, const Checkpoint& checkpoint, const ImportedModel& model,
                 const Source& source) {
  EMEND_ASSIGN_OR_RETURN(const EntryKind kind, files.Look(model.folder));
  const bool is_there = kind != EntryKind::kNone;
  if (is_there && storage::checkpoint::CheckFiles(model.folder, model.base.files).ok())
    return OkStatus();
  if (is_there) {
    EMEND_ASSIGN_OR_RETURN(
        const auto damaged,
        WorkFolder::Create(files, fs::path(model.folder).parent_path().string(), source.owner));
    EMEND_RETURN_IF_ERROR(damaged->TakeAside(model.folder));
  }
  if (source.converted != nullptr) {
    EMEND_RETURN_IF_ERROR(source.converted->PublishAs(model.folder));
  } else {  // without replacements: an exact copy
    EMEND_RETURN_IF_ERROR(
        storage::checkpoint::ExportCheckpoint(files, checkpoint, {}, {model.folder, source.owner})
            .status());
  }
  return storage::checkpoint::CheckFiles(model.folder, model.base.files)
      .WithContext("importing the model in \"" + checkpoint.folder() + "\"");
}

Result<ImportedModel> ImportFolder(FileSystem& files, const Source& source,
                                   const StoreLayout& layout) {
  EMEND_ASSIGN_OR_RETURN(const LoadableModel loadable, OpenLoadableModel(source.folder));
  const Checkpoint& checkpoint = *loadable.checkpoint;
  EMEND_ASSIGN_OR_RETURN(storage::checkpoint::ModelFiles listed,
                         storage::checkpoint::ListModelFiles(checkpoint));
  EMEND_ASSIGN_OR_RETURN(Description description, DescribeModel(checkpoint, listed.taken));
  EMEND_RETURN_IF_ERROR(CheckTiedHead(loadable, description.base));
  ImportedModel model;
  model.base = std::move(description.base);
  model.warnings = loadable.warnings;
  model.left_out = std::move(listed.left_out);
  model.id = IdOf(model.base);
  model.folder = layout.model_folder(model.id);
  EMEND_RETURN_IF_ERROR(files.CreateFolders(layout.models()));
  EMEND_RETURN_IF_ERROR(CopyModel(files, checkpoint, model, source));
  EMEND_RETURN_IF_ERROR(
      storage::checkpoint::WriteTileFile(layout.tile_file(model.id), description.leaves));
  return model;
}

}  // namespace

Result<ImportedModel> ImportModel(FileSystem& files, const std::string& source,
                                  const StoreLayout& layout, const std::string& owner) {
  if (!IsGguf(source)) {
    EMEND_RETURN_IF_ERROR(CheckLinks(source, layout));
    return ImportFolder(files, {.folder = source, .owner = owner}, layout);
  }
  EMEND_RETURN_IF_ERROR(files.CreateFolders(layout.models()));
  EMEND_ASSIGN_OR_RETURN(
      const auto converted,
      ConvertGguf(files, source, {.parent = layout.models(), .owner = owner + "-gguf"}));
  return ImportFolder(
      files, {.folder = converted->contents(), .converted = converted.get(), .owner = owner},
      layout);
}

}  // namespace emend::coordinator::core
