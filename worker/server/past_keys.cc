#include "worker/server/past_keys.h"

#include <ATen/ATen.h>

#include <cstring>

#include "storage/base/file_system.h"
#include "storage/delta/payload.h"
#include "worker/protocol/past_keys.h"

namespace emend::worker::server {
namespace {

using Columns = std::vector<std::vector<float>>;

Status BadPastKeys(const std::string& path, const std::string& what) {
  return {StatusCode::kDataLoss, "bad_past_keys",
          "reading the keys of earlier edits in " + path + ": " + what};
}

// By tensor, in the order of the edits.
Result<std::map<std::string, Columns>> ReadColumns(const std::string& path) {
  EMEND_ASSIGN_OR_RETURN(const std::string bytes, PosixFileSystem().Read(path));
  const Result<protocol::PastKeys> past = DecodeRecord<protocol::PastKeys>(bytes);
  if (!past.ok()) return BadPastKeys(path, past.status().message());
  std::map<std::string, Columns> columns;
  for (const std::string& payload : past->payloads) {
    auto keys = storage::delta::DecodeEditKeys(payload);
    if (!keys.ok()) return BadPastKeys(path, keys.status().message());
    for (storage::delta::EditKey& key : *keys) columns[key.tensor].push_back(std::move(key.values));
  }
  return columns;
}

at::Tensor SideBySide(const Columns& columns, std::int64_t width) {
  at::Tensor rows = at::empty({static_cast<std::int64_t>(columns.size()), width}, at::kFloat);
  auto* to = rows.mutable_data_ptr<float>();
  for (const std::vector<float>& column : columns) {
    std::memcpy(to, column.data(), column.size() * sizeof(float));
    to += width;
  }
  return rows.t();
}

}  // namespace

Result<std::map<LayerIndex, at::Tensor>> ReadPastKeys(const std::string& path,
                                                      const model::Transformer& model,
                                                      const std::vector<LayerIndex>& layers,
                                                      const edit::Solver& solver) {
  std::map<LayerIndex, at::Tensor> past;
  if (path.empty()) return past;
  EMEND_ASSIGN_OR_RETURN(const auto columns, ReadColumns(path));
  const std::int64_t width = model.config().intermediate;
  for (const LayerIndex layer : layers) {
    const auto found = columns.find(model.Down(layer).tensors[0]);
    if (found == columns.end() || solver.HolderOf(layer) != model.communicator().rank()) continue;
    for (const std::vector<float>& column : found->second) {
      if (!std::cmp_equal(column.size(), width))
        return BadPastKeys(path, "a key of " + std::to_string(column.size()) +
                                     " elements, expected " + std::to_string(width));
    }
    past[layer] = SideBySide(found->second, width);
  }
  return past;
}

}  // namespace emend::worker::server
