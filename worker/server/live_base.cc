#include "worker/server/live_base.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <filesystem>
#include <functional>
#include <set>
#include <utility>
#include <vector>

#include "storage/checkpoint/file_digests.h"
#include "storage/checkpoint/tile_file.h"
#include "worker/collective/exchange.h"
#include "worker/edit/statistics.h"

namespace emend::worker::server {
namespace {

using edit::EditedTensor;
using storage::delta::Column;
using storage::delta::EditDelta;
using storage::delta::Ledger;
using storage::delta::TensorRange;
using storage::delta::TileLeaf;

storage::delta::TensorShape ShapeOf(const EditedTensor& tensor) {
  return {tensor.dtype, tensor.rows, tensor.cols};
}

// What a rank reads whole when it reads its part of the weights.
constexpr std::array<std::string_view, 8> kSmallFiles = {
    "added_tokens.json",      "chat_template.jinja",          "config.json",
    "generation_config.json", "model.safetensors.index.json", "tokenizer.json",
    "tokenizer.model",        "tokenizer_config.json"};

std::map<std::string, Digest> FilesReadWhole(const protocol::LoadBase& request) {
  std::map<std::string, Digest> files = request.files;
  if (!request.tile_file.empty())
    std::erase_if(files, [](const auto& file) {
      return std::ranges::find(kSmallFiles, file.first) == kSmallFiles.end();
    });
  return files;
}

std::uint64_t BytesOf(const std::string& folder, const std::map<std::string, Digest>& files) {
  std::uint64_t bytes = 0;
  for (const auto& [name, digest] : files) {
    std::error_code error;
    const std::uint64_t size = std::filesystem::file_size(folder + "/" + name, error);
    if (!error) bytes += size;
  }
  return bytes;
}

// The columns that `deltas` hold for one tensor.
std::vector<const Column*> ColumnsOf(const std::vector<std::shared_ptr<const EditDelta>>& deltas,
                                     const std::string& tensor) {
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
      return DataLoss("adding up the edits of \"" + tensor.name + "\": found a column of " +
                      std::to_string(column->a.size()) + " x " + std::to_string(column->b.size()) +
                      ", expected " + std::to_string(tensor.rows) + " x " +
                      std::to_string(tensor.cols));
    }
  }
  return OkStatus();
}

Result<std::unique_ptr<Ledger>> SumColumns(const EditedTensor& tensor,
                                           const std::vector<const Column*>& columns) {
  EMEND_RETURN_IF_ERROR(CheckSizes(tensor, columns));
  EMEND_RETURN_IF_ERROR(storage::delta::CheckBudget(columns).WithContext(
      "adding up the edits of \"" + tensor.name + "\""));
  auto ledger = std::make_unique<Ledger>(tensor.range);
  edit::AddColumns(columns, *ledger);
  return ledger;
}

// What is served of the ledger's range; widened, it is copied into `rows`, the compute weight's.
Result<std::vector<std::uint8_t>> ServeInto(const EditedTensor& tensor, const Ledger& ledger,
                                            const at::Tensor& rows) {
  std::vector<std::uint8_t> bytes(tensor.base.size());
  EMEND_RETURN_IF_ERROR(storage::delta::ServeWeights(ledger, tensor.dtype, tensor.base, bytes));
  EMEND_ASSIGN_OR_RETURN(const at::Tensor widened, edit::WidenWeight(tensor, bytes));
  rows.copy_(widened);
  return bytes;
}

// Leaves between ranks: index and digest.
std::string EncodeLeaves(const std::vector<TileLeaf>& leaves) {
  std::string bytes;
  for (const TileLeaf& leaf : leaves)
    bytes.append(reinterpret_cast<const char*>(&leaf.index), sizeof(leaf.index))
        .append(leaf.digest.Raw());
  return bytes;
}

Status DecodeLeaves(std::string_view bytes, std::vector<TileLeaf>& leaves) {
  for (; !bytes.empty(); bytes.remove_prefix(sizeof(TileLeaf::index) + Digest::kSize)) {
    if (bytes.size() < sizeof(TileLeaf::index) + Digest::kSize)
      return DataLoss("reading another rank's digests: they end in the middle");
    TileLeaf& leaf = leaves.emplace_back();
    std::memcpy(&leaf.index, bytes.data(), sizeof(leaf.index));
    EMEND_ASSIGN_OR_RETURN(leaf.digest,
                           Digest::FromRaw(bytes.substr(sizeof(leaf.index), Digest::kSize)));
  }
  return OkStatus();
}

// What any rank misses, so that all ask for the same: one may have had no room for what the others
// keep.
Result<std::vector<EditId>> OfAllRanks(collective::Communicator& communicator,
                                       const std::vector<EditId>& own) {
  if (communicator.size() == 1) return own;
  std::string bytes;
  for (const EditId& id : own) bytes += id.digest().Raw();
  EMEND_ASSIGN_OR_RETURN(const std::vector<std::string> all,
                         collective::AllGatherBytes(communicator, bytes));
  std::set<EditId> missing;
  for (std::string_view ids : all) {
    for (; ids.size() >= Digest::kSize; ids.remove_prefix(Digest::kSize)) {
      EMEND_ASSIGN_OR_RETURN(const Digest id, Digest::FromRaw(ids.substr(0, Digest::kSize)));
      missing.insert(EditId(id));
    }
  }
  return std::vector<EditId>(missing.begin(), missing.end());
}

}  // namespace

Result<std::unique_ptr<LiveBase>> LiveBase::Load(const protocol::LoadBase& request,
                                                 const LiveBaseOptions& options,
                                                 collective::Communicator& communicator) {
  std::unique_ptr<LiveBase> base(new LiveBase(request.base, options, communicator));
  EMEND_RETURN_IF_ERROR(collective::AgreeOn(communicator, base->Open(request)));
  return base;
}

Status LiveBase::Open(const protocol::LoadBase& request) {
  const std::map<std::string, Digest> files = FilesReadWhole(request);
  EMEND_RETURN_IF_ERROR(storage::checkpoint::CheckFiles(request.folder, files));
  file_bytes_read_ = BytesOf(request.folder, files);
  EMEND_RETURN_IF_ERROR(OpenCheckpoint(request));
  EMEND_ASSIGN_OR_RETURN(tokenizer_, tokenizer::Tokenizer::OpenFolder(request.folder));
  EMEND_RETURN_IF_ERROR(OpenChatTemplate(request.folder));
  EMEND_ASSIGN_OR_RETURN(model_,
                         model::Transformer::Load(*checkpoint_, communicator_, options_.device));
  tokenizer_->LimitTo(model_->config().vocabulary);
  const bool read_whole = files.contains(checkpoint_->files().front());
  if (!read_whole) file_bytes_read_ += model_->file_bytes();
  return OkStatus();
}

// A template that is not to be used is kept as that, and the same on all ranks; one that this rank
// cannot read is a failure as of any other file.
Status LiveBase::OpenChatTemplate(const std::string& folder) {
  chat_ = chat::LoadChatTemplate(folder);
  switch (chat_.status().code()) {
    case StatusCode::kInvalidArgument:
    case StatusCode::kUnsupported:
    case StatusCode::kResourceExhausted: return OkStatus();
    default: return chat_.status();
  }
}

Status LiveBase::OpenCheckpoint(const protocol::LoadBase& request) {
  auto opened = storage::checkpoint::Checkpoint::Open(request.folder);
  if (!opened.ok() && !request.tile_file.empty()) {
    return {StatusCode::kDataLoss, "base_damaged",
            opened.status().message() + "; import the same model again to mend the copy"};
  }
  EMEND_ASSIGN_OR_RETURN(checkpoint_, std::move(opened));
  if (request.tile_file.empty()) return OkStatus();
  EMEND_ASSIGN_OR_RETURN(auto tiles,
                         storage::checkpoint::TileFile::Open(request.tile_file, request.roots));
  file_bytes_read_ += tiles->file_bytes();
  return checkpoint_->CheckWith(std::move(tiles));
}

protocol::MemoryUse LiveBase::memory() const {
  protocol::MemoryUse memory{.weights_bytes = model_->held_bytes(),
                             .states_bytes = edits_.held_bytes(),
                             .file_bytes_read = file_bytes_read_};
  for (const auto& [name, part] : base_parts_) memory.states_bytes += part.size();
  for (const auto& state : states_) {
    for (const auto& [name, tensor] : state->tensors) memory.states_bytes += tensor.bytes.size();
    for (const auto& [layer, weight] : state->weights) memory.states_bytes += weight.nbytes();
  }
  if (solver_ != nullptr) memory.statistics_bytes = solver_->held_bytes();
  return memory;
}

Result<EditedTensor> LiveBase::Describe(LayerIndex layer, std::size_t part) const {
  const model::DownProjection& down = model_->Down(layer);
  EMEND_ASSIGN_OR_RETURN(const storage::checkpoint::TensorView view,
                         checkpoint_->Find(down.tensors[part]));
  EditedTensor tensor;
  tensor.name = down.tensors[part];
  tensor.dtype = view.dtype;
  tensor.stored_in_out = down.stored_in_out;
  tensor.rows = view.shape.at(0);
  tensor.cols = view.shape.at(1);
  const families::Slice own = down.own;
  const auto begin = static_cast<std::uint64_t>(own.begin),
             end = static_cast<std::uint64_t>(own.end());
  tensor.range = tensor.stored_in_out ? TensorRange{begin, end, 0, tensor.cols}
                                      : TensorRange{0, tensor.rows, begin, end};
  tensor.base = BasePart(tensor, view.bytes);
  return tensor;
}

std::span<const std::uint8_t> LiveBase::BasePart(const EditedTensor& tensor,
                                                 std::span<const std::uint8_t> whole) const {
  const std::size_t element = storage::delta::ElementBytes(tensor.dtype);
  const std::size_t row_bytes = tensor.cols * element, part_bytes = tensor.range.cols() * element;
  if (row_bytes == part_bytes)
    return whole.subspan(tensor.range.row_begin * row_bytes, tensor.range.rows() * row_bytes);
  std::vector<std::uint8_t>& part = base_parts_[tensor.name];
  if (part.empty()) {
    part.reserve(tensor.rows * part_bytes);
    for (std::uint64_t row = 0; row < tensor.rows; ++row) {
      const auto from = whole.begin() + static_cast<std::ptrdiff_t>(
                                            row * row_bytes + tensor.range.col_begin * element);
      part.insert(part.end(), from, from + static_cast<std::ptrdiff_t>(part_bytes));
    }
  }
  return part;
}

at::Tensor LiveBase::RowsOf(const at::Tensor& weight, LayerIndex layer, std::size_t part) const {
  const std::int64_t own = model_->Down(layer).own.size;
  return weight.narrow(0, static_cast<std::int64_t>(part) * own, own);
}

Status LiveBase::BuildTensor(LayerIndex layer, std::size_t part, const Deltas& deltas,
                             LiveState& state) const {
  const std::vector<const Column*> columns = ColumnsOf(deltas, model_->Down(layer).tensors[part]);
  if (columns.empty()) return OkStatus();
  EMEND_ASSIGN_OR_RETURN(const EditedTensor tensor, Describe(layer, part));
  EMEND_ASSIGN_OR_RETURN(const auto ledger, SumColumns(tensor, columns));
  at::Tensor& weight = state.weights[layer];
  if (!weight.defined()) weight = model_->DownWeight(layer).clone();
  auto bytes = ServeInto(tensor, *ledger, RowsOf(weight, layer, part));
  EMEND_RETURN_IF_ERROR(
      bytes.status().WithContext("serving \"" + tensor.name + "\" in state " + state.id.Short()));
  state.tensors.emplace(tensor.name, ServedTensor{layer, part, std::move(*bytes)});
  return OkStatus();
}

Result<std::map<LayerIndex, at::Tensor>> LiveBase::WeightsWithout(const LiveState& state,
                                                                  const ParentTensors& sums,
                                                                  const EditDelta& edit) const {
  std::map<LayerIndex, at::Tensor> weights = state.weights;
  std::set<LayerIndex> copied;
  for (const storage::delta::TensorDelta& delta : edit.tensors) {
    if (delta.columns.empty()) continue;
    const auto& [layer, part, served] = state.tensors.at(delta.tensor);
    const EditedTensor& tensor = sums.tensors.at(layer)[part];
    std::vector<const Column*> columns;
    for (const Column& column : delta.columns) columns.push_back(&column);
    EMEND_ASSIGN_OR_RETURN(const auto left, SumColumns(tensor, columns));
    std::ranges::transform(tensor.ledger, left->values(), left->mutable_values().begin(),
                           std::minus());
    at::Tensor& weight = weights.at(layer);
    if (copied.insert(layer).second) weight = weight.clone();
    EMEND_RETURN_IF_ERROR(ServeInto(tensor, *left, RowsOf(weight, layer, part)).status());
  }
  return weights;
}

Result<std::unique_ptr<model::Transformer>> LiveBase::Without(const LiveState& state,
                                                              const ParentTensors& sums,
                                                              const EditDelta& edit) const {
  const auto weights = WeightsWithout(state, sums, edit);
  EMEND_RETURN_IF_ERROR(collective::AgreeOn(communicator_, weights.status())
                            .WithContext("taking an edit out of state " + state.id.Short()));
  return model_->WithDownWeights(*weights);
}

Result<std::unique_ptr<LiveState>> LiveBase::Build(const StateId& state,
                                                   const std::vector<EditId>& edits,
                                                   const Deltas& deltas) const {
  auto built = std::make_unique<LiveState>();
  built->id = state;
  built->edits = edits;
  built->deltas = deltas;
  for (std::int32_t layer = 0; layer < model_->config().layers; ++layer) {
    for (std::size_t part = 0; part < model_->Down(LayerIndex(layer)).tensors.size(); ++part)
      EMEND_RETURN_IF_ERROR(BuildTensor(LayerIndex(layer), part, deltas, *built));
  }
  for (const auto& delta : deltas) {
    for (const auto& part : delta->tensors) {
      if (!built->tensors.contains(part.tensor) && !part.columns.empty()) {
        return Unsupported("making state " + state.Short() +
                           " live: an edit changes the tensor \"" + part.tensor +
                           "\", which is no down projection of this model");
      }
    }
  }
  if (!built->weights.empty()) built->view = model_->WithDownWeights(built->weights);
  return built;
}

std::shared_ptr<const EditDelta> LiveBase::FindDelta(const EditId& id) {
  if (auto cached = edits_.Find(id)) return cached;
  for (const auto& live : states_) {
    const auto found = std::ranges::lower_bound(live->edits, id);
    if (found != live->edits.end() && *found == id)
      return live->deltas[static_cast<std::size_t>(found - live->edits.begin())];
  }
  return nullptr;
}

Result<std::vector<EditId>> LiveBase::Ensure(const StateId& state,
                                             const std::vector<EditId>& edits) {
  if (Find(state).ok()) return std::vector<EditId>();
  std::vector<EditId> missing;
  Deltas deltas;
  for (const EditId& id : edits) {
    auto delta = FindDelta(id);
    if (delta == nullptr) missing.push_back(id);
    deltas.push_back(std::move(delta));
  }
  EMEND_ASSIGN_OR_RETURN(missing, OfAllRanks(communicator_, missing));
  edits_.Want(missing.empty() ? missing : edits);
  if (!missing.empty()) return missing;
  auto built = Build(state, edits, deltas);
  EMEND_RETURN_IF_ERROR(collective::AgreeOn(communicator_, built.status()));
  states_.push_front(std::move(*built));
  if (states_.size() > options_.states_max) MakeRoom();
  return missing;
}

void LiveBase::MakeRoom() {
  const auto is_kept = [this](const auto& state) {
    return std::ranges::find(kept_, state->id) != kept_.end();
  };
  const auto leaves = std::find_if_not(states_.rbegin(), std::prev(states_.rend()), is_kept);
  states_.erase(leaves == std::prev(states_.rend()) ? std::prev(states_.end())
                                                    : std::prev(leaves.base()));
}

Status LiveBase::CheckLive(const StateId& state) const {
  if (std::ranges::any_of(states_, [&](const auto& live) { return live->id == state; }))
    return OkStatus();
  return {StatusCode::kFailedPrecondition, "state_not_live",
          "state " + state.Short() + " of base " + id_.Short() + " is not live: ensure it first"};
}

Result<std::shared_ptr<const LiveState>> LiveBase::Find(const StateId& state) {
  EMEND_RETURN_IF_ERROR(CheckLive(state));
  const auto found =
      std::ranges::find_if(states_, [&](const auto& live) { return live->id == state; });
  states_.splice(states_.begin(), states_, found);
  return states_.front();
}

Result<std::vector<TileLeaf>> LiveBase::HashPart(const std::string& name,
                                                 const ServedTensor& served,
                                                 const LiveState& state) const {
  EMEND_ASSIGN_OR_RETURN(const EditedTensor tensor, Describe(served.layer, served.part));
  EMEND_ASSIGN_OR_RETURN(const at::Tensor widened, edit::WidenWeight(tensor, served.bytes));
  const at::Tensor weight = ModelOf(state).DownWeight(served.layer);
  if (!at::equal(widened, RowsOf(weight, served.layer, served.part).cpu())) {
    return Status(StatusCode::kDataLoss, "live_bytes_damaged",
                  "hashing the live tensor \"" + name + "\" of state " + state.id.Short() +
                      ": the weights that are computed with differ from the bytes they came from");
  }
  return storage::delta::HashTiles(ShapeOf(tensor), tensor.range, served.bytes);
}

Result<std::vector<std::vector<TileLeaf>>> LiveBase::GatherLeaves(const std::string& name,
                                                                  const ServedTensor& served,
                                                                  const LiveState& state) const {
  const auto own = HashPart(name, served, state);
  EMEND_RETURN_IF_ERROR(collective::AgreeOn(communicator_, own.status()));
  EMEND_ASSIGN_OR_RETURN(const std::vector<std::string> parts,
                         collective::AllGatherBytes(communicator_, EncodeLeaves(*own)));
  std::vector<std::vector<TileLeaf>> leaves;
  for (const std::string& part : parts)
    EMEND_RETURN_IF_ERROR(DecodeLeaves(part, leaves.emplace_back()));
  return leaves;
}

Result<std::vector<std::vector<TileLeaf>>> LiveBase::Tiles(const std::string& tensor,
                                                           const LiveState& state) const {
  const auto found = state.tensors.find(tensor);
  if (found != state.tensors.end()) return GatherLeaves(tensor, found->second, state);
  return NotFound("hashing the tiles of \"" + tensor + "\": state " + state.id.Short() +
                  " does not change that tensor");
}

Result<std::map<std::string, Digest>> LiveBase::Digests(const LiveState& state) const {
  std::map<std::string, Digest> roots;
  for (const auto& [name, served] : state.tensors) {
    EMEND_ASSIGN_OR_RETURN(const auto parts, GatherLeaves(name, served, state));
    std::vector<TileLeaf> leaves;
    for (const std::vector<TileLeaf>& part : parts)
      leaves.insert(leaves.end(), part.begin(), part.end());
    EMEND_ASSIGN_OR_RETURN(const EditedTensor tensor, Describe(served.layer, served.part));
    EMEND_ASSIGN_OR_RETURN(roots[name],
                           storage::delta::TensorRoot(ShapeOf(tensor), std::move(leaves)));
  }
  return roots;
}

Result<LiveBase::ParentTensors> LiveBase::ParentOf(const LiveState& state,
                                                   const std::vector<LayerIndex>& layers) const {
  ParentTensors parent;
  for (const LayerIndex layer : layers) {
    for (std::size_t part = 0; part < model_->Down(layer).tensors.size(); ++part) {
      EMEND_ASSIGN_OR_RETURN(EditedTensor tensor, Describe(layer, part));
      const std::vector<const Column*> columns = ColumnsOf(state.deltas, tensor.name);
      if (!columns.empty()) {
        EMEND_ASSIGN_OR_RETURN(auto ledger, SumColumns(tensor, columns));
        for (const Column* column : columns)
          tensor.ledger_bound += storage::delta::ColumnBound(*column);
        tensor.ledger = parent.ledgers.emplace_back(std::move(ledger))->values();
      }
      parent.tensors[layer].push_back(std::move(tensor));
    }
  }
  return parent;
}

Result<edit::Solver*> LiveBase::SolverOf(const std::string& method,
                                         const std::string& statistics_file) {
  const std::pair<std::string, std::string> wanted(method, statistics_file);
  if (solver_ == nullptr || solver_of_ != wanted) {
    edit::Statistics statistics;
    if (!statistics_file.empty()) {
      EMEND_ASSIGN_OR_RETURN(statistics,
                             edit::LoadStatistics(statistics_file, id_.Hex(), communicator_));
    }
    EMEND_ASSIGN_OR_RETURN(
        solver_,
        edit::NewSolver(method, std::make_shared<const edit::Statistics>(std::move(statistics))));
    solver_of_ = wanted;
  }
  return solver_.get();
}

}  // namespace emend::worker::server
