#include "coordinator/core/state_builder.h"

#include "storage/delta/tile_digest.h"

namespace emend::coordinator::core {
namespace {

constexpr std::size_t kThreads = 2;

using storage::delta::Column;
using storage::delta::EditDelta;

// The base's tensor, if its bytes are those that were imported.
Result<storage::checkpoint::TensorView> FindIntact(const StoredBase& base,
                                                   const std::string& name) {
  EMEND_ASSIGN_OR_RETURN(storage::checkpoint::TensorView view, base.checkpoint->Find(name));
  EMEND_ASSIGN_OR_RETURN(
      const Digest found,
      storage::delta::HashTensor(storage::delta::Flatten(view.dtype, view.shape), view.bytes));
  const auto recorded = base.recorded.tensors.find(name);
  if (recorded != base.recorded.tensors.end() && recorded->second.root == found) return view;
  return Status(StatusCode::kDataLoss, "base_damaged",
                "reading the tensor \"" + name + "\" of the stored base in \"" +
                    base.checkpoint->folder() +
                    "\": it holds other bytes than were imported; import the same model again to "
                    "mend the copy");
}

}  // namespace

Result<std::string> ReadDelta(const storage::objects::ObjectStore& objects, const EditId& id) {
  EMEND_ASSIGN_OR_RETURN(const storage::objects::Edit edit, objects.ReadEdit(id));
  EMEND_ASSIGN_OR_RETURN(std::string stored, objects.ReadPayload(edit.delta_object));
  if (const Digest found = Sha256(stored); found != edit.delta_digest) {
    return DataLoss("reading the payload of edit " + id.Short() + ": found SHA-256 " + found.Hex() +
                    ", the edit says " + edit.delta_digest.Hex());
  }
  return stored;
}

Result<std::vector<EditDelta>> LoadDeltas(const storage::objects::ObjectStore& objects,
                                          std::span<const EditId> edits) {
  std::vector<EditDelta> deltas;
  deltas.reserve(edits.size());
  for (const EditId& id : edits) {
    EMEND_ASSIGN_OR_RETURN(const std::string stored, ReadDelta(objects, id));
    Result<EditDelta> delta = storage::delta::DecodeEditDelta(stored);
    if (!delta.ok()) return delta.status().WithContext("reading the payload of edit " + id.Short());
    deltas.push_back(std::move(delta).value());
  }
  return deltas;
}

Result<std::map<std::string, storage::delta::RebuiltTensor>> RebuildTensors(
    const StoredBase& base, std::span<const EditDelta> deltas) {
  std::map<std::string, std::vector<const Column*>> columns;
  for (const EditDelta& delta : deltas) {
    for (const auto& tensor : delta.tensors) {
      for (const Column& column : tensor.columns) columns[tensor.tensor].push_back(&column);
    }
  }
  std::map<std::string, storage::delta::RebuiltTensor> rebuilt;
  for (const auto& [name, active] : columns) {
    EMEND_ASSIGN_OR_RETURN(const storage::checkpoint::TensorView view, FindIntact(base, name));
    auto tensor = storage::delta::RebuildTensor(storage::delta::Flatten(view.dtype, view.shape),
                                                view.bytes, active, kThreads);
    if (!tensor.ok()) return tensor.status().WithContext("rebuilding the tensor \"" + name + "\"");
    rebuilt.emplace(name, std::move(tensor).value());
  }
  return rebuilt;
}

Result<std::map<std::string, storage::delta::RebuiltTensor>> RebuildState(
    const StoredBase& base, const storage::history::Repository& repository, const StateId& state) {
  EMEND_ASSIGN_OR_RETURN(const std::vector<EditId> edits, repository.Edits(state));
  EMEND_ASSIGN_OR_RETURN(const auto deltas, LoadDeltas(repository.objects(), edits));
  return RebuildTensors(base, deltas);
}

storage::objects::Manifest ManifestOf(
    const StateId& state, const std::map<std::string, storage::delta::RebuiltTensor>& tensors) {
  storage::objects::Manifest manifest{state, {}};
  for (const auto& [name, tensor] : tensors) manifest.roots[name] = tensor.digest;
  return manifest;
}

}  // namespace emend::coordinator::core
