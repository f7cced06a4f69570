#include "worker/server/live_base.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <utility>

#include "storage/checkpoint/file_digests.h"
#include "storage/delta/tile_digest.h"
#include "worker/edit/statistics.h"

namespace emend::worker::server {
namespace {

using edit::EditedTensor;
using storage::delta::Column;
using storage::delta::EditDelta;
using storage::delta::Ledger;

storage::delta::TensorShape ShapeOf(const EditedTensor& tensor) { return {tensor.dtype, tensor.rows, tensor.cols}; }

// The columns that `deltas` hold for one tensor.
std::vector<const Column*> ColumnsOf(const std::vector<std::shared_ptr<const EditDelta>>& deltas, const std::string& tensor) {
  std::vector<const Column*> columns;
  for (const auto& delta : deltas) {
    for (const auto& part : delta->tensors) {
      if (part.tensor != tensor) continue;
      for (const Column& column : part.columns) columns.push_back(&column);
    }
  }
  return columns;
}

Status CheckSizes(const EditedTensor& tensor, const std::vector<const Column*>& columns) {
  for (const Column* column : columns) {
    if (column->a.size() != tensor.rows || column->b.size() != tensor.cols) {
      return DataLoss("adding up the edits of \"" + tensor.name + "\": found a column of " + std::to_string(column->a.size()) + " x " +
                      std::to_string(column->b.size()) + ", expected " + std::to_string(tensor.rows) + " x " + std::to_string(tensor.cols));
    }
  }
  return OkStatus();
}

Result<std::unique_ptr<Ledger>> SumColumns(const EditedTensor& tensor, const std::vector<const Column*>& columns) {
  EMEND_RETURN_IF_ERROR(CheckSizes(tensor, columns));
  EMEND_RETURN_IF_ERROR(storage::delta::CheckBudget(columns).WithContext("adding up the edits of \"" + tensor.name + "\""));
  auto ledger = std::make_unique<Ledger>(storage::delta::TensorRange{0, tensor.rows, 0, tensor.cols});
  edit::AddColumns(columns, tensor.rows, tensor.cols, ledger->mutable_values());
  return ledger;
}

}  // namespace

Result<std::unique_ptr<LiveBase>> LiveBase::Load(const protocol::LoadBase& request, const LiveBaseOptions& options) {
  EMEND_RETURN_IF_ERROR(storage::checkpoint::CheckFiles(request.folder, request.files));
  std::unique_ptr<LiveBase> base(new LiveBase(request.base, options));
  base->communicator_ = collective::NewSingleRankCommunicator();
  EMEND_ASSIGN_OR_RETURN(base->checkpoint_, storage::checkpoint::Checkpoint::Open(request.folder));
  EMEND_ASSIGN_OR_RETURN(base->tokenizer_, tokenizer::Tokenizer::Open(request.folder + "/tokenizer.json"));
  EMEND_ASSIGN_OR_RETURN(base->model_, model::Transformer::Load(*base->checkpoint_, *base->communicator_));
  return base;
}

Result<EditedTensor> LiveBase::Describe(LayerIndex layer) const {
  const model::DownProjection down = model_->Down(layer);
  EMEND_ASSIGN_OR_RETURN(const storage::checkpoint::TensorView view, checkpoint_->Find(down.tensor));
  EditedTensor tensor;
  tensor.name = down.tensor;
  tensor.dtype = view.dtype;
  tensor.stored_in_out = down.stored_in_out;
  tensor.rows = view.shape.at(0);
  tensor.cols = view.shape.at(1);
  tensor.base = view.bytes;
  return tensor;
}

Status LiveBase::BuildTensor(LayerIndex layer, const Deltas& deltas, LiveState& state) const {
  EMEND_ASSIGN_OR_RETURN(const EditedTensor tensor, Describe(layer));
  const std::vector<const Column*> columns = ColumnsOf(deltas, tensor.name);
  if (columns.empty()) return OkStatus();
  EMEND_ASSIGN_OR_RETURN(const auto ledger, SumColumns(tensor, columns));
  ServedTensor served{layer, std::vector<std::uint8_t>(tensor.base.size()), {}};
  EMEND_RETURN_IF_ERROR(storage::delta::ServeWeights(*ledger, tensor.dtype, tensor.base, served.bytes)
                            .WithContext("serving \"" + tensor.name + "\" in state " + state.id.Short()));
  EMEND_ASSIGN_OR_RETURN(served.weight, edit::WidenWeight(tensor, served.bytes));
  state.tensors.emplace(tensor.name, std::move(served));
  return OkStatus();
}

Result<std::unique_ptr<LiveState>> LiveBase::Build(const StateId& state, const std::vector<EditId>& edits, const Deltas& deltas) const {
  auto built = std::make_unique<LiveState>();
  built->id = state;
  built->edits = edits;
  built->deltas = deltas;
  std::map<LayerIndex, at::Tensor> weights;
  for (std::int32_t layer = 0; layer < model_->config().layers; ++layer) EMEND_RETURN_IF_ERROR(BuildTensor(LayerIndex(layer), deltas, *built));
  for (const auto& [name, tensor] : built->tensors) weights.emplace(tensor.layer, tensor.weight);
  for (const auto& delta : deltas) {
    for (const auto& part : delta->tensors) {
      if (!built->tensors.contains(part.tensor) && !part.columns.empty()) {
        return Unsupported("making state " + state.Short() + " live: an edit changes the tensor \"" + part.tensor +
                           "\", which is no down projection of this model");
      }
    }
  }
  if (!weights.empty()) built->view = model_->WithDownWeights(weights);
  return built;
}

std::shared_ptr<const EditDelta> LiveBase::FindDelta(const EditId& id) {
  if (auto cached = edits_.Find(id)) return cached;
  for (const auto& live : states_) {
    const auto found = std::ranges::lower_bound(live->edits, id);
    if (found != live->edits.end() && *found == id) return live->deltas[static_cast<std::size_t>(found - live->edits.begin())];
  }
  return nullptr;
}

Result<std::vector<EditId>> LiveBase::Ensure(const StateId& state, const std::vector<EditId>& edits) {
  if (Find(state).ok()) return std::vector<EditId>();
  std::vector<EditId> missing;
  Deltas deltas;
  for (const EditId& id : edits) {
    auto delta = FindDelta(id);
    if (delta == nullptr) missing.push_back(id);
    deltas.push_back(std::move(delta));
  }
  edits_.Want(missing.empty() ? missing : edits);
  if (!missing.empty()) return missing;
  EMEND_ASSIGN_OR_RETURN(auto built, Build(state, edits, deltas));
  states_.push_front(std::move(built));
  if (states_.size() > options_.states_max) states_.pop_back();
  return missing;
}

Result<const LiveState*> LiveBase::Find(const StateId& state) {
  const auto found = std::ranges::find_if(states_, [&](const auto& live) { return live->id == state; });
  if (found == states_.end()) {
    return Status(StatusCode::kFailedPrecondition, "state_not_live", "state " + state.Short() + " of base " + id_.Short() + " is not live: ensure it first");
  }
  states_.splice(states_.begin(), states_, found);
  return static_cast<const LiveState*>(states_.front().get());
}

Result<std::map<std::string, Digest>> LiveBase::Digests(const LiveState& state) const {
  std::map<std::string, Digest> roots;
  for (const auto& [name, served] : state.tensors) {
    EMEND_ASSIGN_OR_RETURN(const EditedTensor tensor, Describe(served.layer));
    EMEND_ASSIGN_OR_RETURN(const at::Tensor widened, edit::WidenWeight(tensor, served.bytes));
    if (!at::equal(widened, ModelOf(state).DownWeight(served.layer))) {
      return DataLoss("hashing the live tensor \"" + name + "\" of state " + state.id.Short() +
                      ": the weights that are computed with differ from the bytes they came from");
    }
    EMEND_ASSIGN_OR_RETURN(roots[name], storage::delta::HashTensor(ShapeOf(tensor), served.bytes));
  }
  return roots;
}

Result<LiveBase::ParentTensors> LiveBase::ParentOf(const LiveState& state, const std::vector<LayerIndex>& layers) const {
  ParentTensors parent;
  for (const LayerIndex layer : layers) {
    EMEND_ASSIGN_OR_RETURN(EditedTensor tensor, Describe(layer));
    const std::vector<const Column*> columns = ColumnsOf(state.deltas, tensor.name);
    EMEND_ASSIGN_OR_RETURN(auto ledger, SumColumns(tensor, columns));
    for (const Column* column : columns) tensor.ledger_bound += storage::delta::ColumnBound(*column);
    tensor.ledger = ledger->values();
    parent.ledgers.emplace(layer, std::move(ledger));
    parent.tensors.emplace(layer, std::move(tensor));
  }
  return parent;
}

Result<edit::LayerSolver*> LiveBase::SolverOf(const std::string& statistics_file) {
  if (solver_ == nullptr || solver_file_ != statistics_file) {
    EMEND_ASSIGN_OR_RETURN(auto statistics, edit::LoadStatistics(statistics_file, id_.Hex()));
    solver_ = std::make_unique<edit::LayerSolver>(std::make_shared<const edit::Statistics>(std::move(statistics)));
    solver_file_ = statistics_file;
  }
  return solver_.get();
}

}  // namespace emend::worker::server
