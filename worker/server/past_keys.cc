#include "worker/server/past_keys.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <cstring>

#include "storage/base/file_system.h"
#include "storage/delta/payload.h"
#include "worker/protocol/past_keys.h"

namespace emend::worker::server {
namespace {

using Keys = std::vector<storage::delta::EditKey>;

Status BadPastKeys(const std::string& path, const std::string& what) {
  return {StatusCode::kDataLoss, "bad_past_keys",
          "reading the keys of earlier edits in " + path + ": " + what};
}

// Of each edit.
Result<std::vector<Keys>> ReadKeys(const std::string& path) {
  EMEND_ASSIGN_OR_RETURN(const std::string bytes, PosixFileSystem().Read(path));
  const Result<protocol::PastKeys> past = DecodeRecord<protocol::PastKeys>(bytes);
  if (!past.ok()) return BadPastKeys(path, past.status().message());
  std::vector<Keys> edits;
  for (const std::string& payload : past->payloads) {
    auto keys = storage::delta::DecodeEditKeys(payload);
    if (!keys.ok()) return BadPastKeys(path, keys.status().message());
    edits.push_back(std::move(*keys));
  }
  return edits;
}

// Of the edits that changed the layer: [parts · width, m], zeros for the experts that a key passed
// none of. Undefined if there is none.
Result<at::Tensor> KeysOf(const model::DownProjection& down, const std::vector<Keys>& edits,
                          const std::string& path) {
  std::vector<at::Tensor> rows;
  for (const Keys& keys : edits) {
    at::Tensor row;
    for (const storage::delta::EditKey& key : keys) {
      const auto found = std::ranges::find(down.tensors, key.tensor);
      if (found == down.tensors.end()) continue;
      if (!std::cmp_equal(key.values.size(), down.width))
        return BadPastKeys(path, "a key of " + std::to_string(key.values.size()) +
                                     " elements, expected " + std::to_string(down.width));
      if (!row.defined())
        row = rows.emplace_back(at::zeros({down.parts(), down.width}, at::kFloat));
      std::memcpy(row[found - down.tensors.begin()].mutable_data_ptr(), key.values.data(),
                  key.values.size() * sizeof(float));
    }
  }
  return rows.empty() ? at::Tensor() : at::stack(rows).flatten(1).t();
}

}  // namespace

Result<std::map<LayerIndex, at::Tensor>> ReadPastKeys(const std::string& path,
                                                      const model::Transformer& model,
                                                      const std::vector<LayerIndex>& layers,
                                                      const edit::Solver& solver) {
  std::map<LayerIndex, at::Tensor> past;
  if (path.empty()) return past;
  EMEND_ASSIGN_OR_RETURN(const std::vector<Keys> edits, ReadKeys(path));
  for (const LayerIndex layer : layers) {
    if (solver.HolderOf(layer) != model.communicator().rank()) continue;
    EMEND_ASSIGN_OR_RETURN(const at::Tensor keys, KeysOf(model.Down(layer), edits, path));
    if (keys.defined()) past[layer] = keys;
  }
  return past;
}

}  // namespace emend::worker::server
