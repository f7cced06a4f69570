// LiveBase: one base model in memory, with the states of it that are live.
//
// A state is built whole, from the base's bytes and the columns of all its edits, and enters the
// table only when that succeeded: the worker never holds a state that it cannot name. Several
// states share the base's weights and have their own copies of the edited tensors alone; the one
// used longest ago leaves first, but for those that are to be kept. The served bytes are the
// source: the compute weights are widened from them, and Digests() proves that they still are.
//
// Over several ranks each holds its part of the model and of the edited tensors; all ranks make the
// same calls, and what fails on one fails on all.
//
// Used by the compute thread only. libtorch's exceptions pass through; handlers.cc turns them into
// Status.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <list>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "storage/base/ids.h"
#include "storage/checkpoint/safetensors.h"
#include "storage/delta/ledger.h"
#include "storage/delta/tile_digest.h"
#include "worker/chat/chat_template.h"
#include "worker/collective/communicator.h"
#include "worker/edit/quantising_committer.h"
#include "worker/edit/solver.h"
#include "worker/model/transformer.h"
#include "worker/protocol/messages.h"
#include "worker/server/edit_cache.h"
#include "worker/tokenizer/tokenizer.h"

namespace emend::worker::server {

struct LiveBaseOptions {
  std::size_t states_max = 4;                         // live at once, the base itself not counted
  std::size_t edit_bytes_max = std::size_t{1} << 30;  // of payloads kept
  // where the model lies; ledgers and served bytes are the CPU's
  at::Device device = at::kCPU;
};

// A tensor in which a state differs from its base.
struct ServedTensor {
  LayerIndex layer;
  std::size_t part = 0;  // of the layer's tensors
  // this rank's part as served, in the file's element type and order
  std::vector<std::uint8_t> bytes;
};

struct LiveState {
  StateId id;
  std::vector<EditId> edits;  // sorted
  // theirs; held, so that a solve on the state does not depend on the cache
  std::vector<std::shared_ptr<const storage::delta::EditDelta>> deltas;
  // by name; empty for the base
  std::map<std::string, ServedTensor> tensors;
  // what they make of their layers' down projections, widened, on the device
  std::map<LayerIndex, at::Tensor> weights;
  std::unique_ptr<model::Transformer> view;  // null for the base
};

class LiveBase {
 public:
  // The folder holds config.json, a tokenizer and the checkpoint. With a tile file this rank
  // reads and checks its part of the weights, without one it hashes every file. kDataLoss
  // ("base_damaged"); else as Checkpoint::Open, Transformer::Load and Tokenizer::Open.
  // `communicator` must outlive the base.
  static Result<std::unique_ptr<LiveBase>> Load(const protocol::LoadBase& request,
                                                const LiveBaseOptions& options,
                                                collective::Communicator& communicator);

  const BaseId& id() const { return id_; }
  const storage::checkpoint::Checkpoint& checkpoint() const { return *checkpoint_; }
  const tokenizer::Tokenizer& tokenizer() const { return *tokenizer_; }
  const model::Transformer& base_model() const { return *model_; }
  // None where the folder has none; a failure where it has one that cannot be used.
  const Result<std::optional<chat::ChatTemplate>>& chat_template() const { return chat_; }
  EditCache& edits() { return edits_; }
  // What this rank holds, and what it read.
  protocol::MemoryUse memory() const;

  // Makes the state live; what comes back are the edits that are missing for it, none if it is.
  // kResourceExhausted ("ledger_overflow"), kFailedPrecondition ("non_finite_weight").
  Result<std::vector<EditId>> Ensure(const StateId& state, const std::vector<EditId>& edits);
  // kFailedPrecondition ("state_not_live"). Changes nothing, so that one rank may ask alone.
  Status CheckLive(const StateId& state) const;
  // The same, and the state becomes the one used last: all ranks ask, in the same order.
  // Whoever computes with the state holds it: others may be made live meanwhile, and this one leave
  // the table.
  Result<std::shared_ptr<const LiveState>> Find(const StateId& state);
  const model::Transformer& ModelOf(const LiveState& state) const {
    return state.view ? *state.view : *model_;
  }

  // These states do not leave the table to make room, as long as any other is there to leave;
  // replaces what was said before.
  void Keep(std::vector<StateId> states) { kept_ = std::move(states); }
  // How many there is room for beside what is asked for now and then.
  std::size_t kept_max() const { return options_.states_max - 1; }

  // The roots of the tensors in which the state may differ from the base. kDataLoss if the compute
  // weights are not what the served bytes say.
  Result<std::map<std::string, Digest>> Digests(const LiveState& state) const;
  // The leaves of one of those tensors, by rank. kNotFound if the state does not change it.
  Result<std::vector<std::vector<storage::delta::TileLeaf>>> Tiles(const std::string& tensor,
                                                                   const LiveState& state) const;

  // What a committer needs to solve on a state: base bytes, and the ledgers of these layers, which
  // live as long as the result.
  struct ParentTensors {
    std::map<LayerIndex, std::vector<edit::EditedTensor>> tensors;
    std::vector<std::unique_ptr<storage::delta::Ledger>> ledgers;  // of those that are edited
  };
  Result<ParentTensors> ParentOf(const LiveState& state,
                                 const std::vector<LayerIndex>& layers) const;

  // The state's model without this one of its edits, to the byte: it is subtracted from `sums`,
  // which are ParentOf all layers that the state changes. Nothing becomes live. All ranks.
  Result<std::unique_ptr<model::Transformer>> Without(const LiveState& state,
                                                      const ParentTensors& sums,
                                                      const storage::delta::EditDelta& edit) const;

  // The solver on these statistics, or on none where no file is named, kept until others are asked
  // for. Errors as LoadStatistics.
  Result<edit::Solver*> SolverOf(const std::string& method, const std::string& statistics_file);

 private:
  LiveBase(BaseId id, const LiveBaseOptions& options, collective::Communicator& communicator)
      : id_(id), options_(options), communicator_(communicator), edits_(options.edit_bytes_max) {}

  using Deltas = std::vector<std::shared_ptr<const storage::delta::EditDelta>>;
  // From the cache, or from a live state that holds it.
  std::shared_ptr<const storage::delta::EditDelta> FindDelta(const EditId& id);
  Status Open(const protocol::LoadBase& request);
  Status OpenCheckpoint(const protocol::LoadBase& request);
  Status OpenChatTemplate(const std::string& folder);
  Result<edit::EditedTensor> Describe(LayerIndex layer, std::size_t part) const;
  // This rank's part of a tensor that is not in one piece in the file.
  std::span<const std::uint8_t> BasePart(const edit::EditedTensor& tensor,
                                         std::span<const std::uint8_t> whole) const;
  // This rank's leaves of the live bytes.
  Result<std::vector<storage::delta::TileLeaf>> HashPart(const std::string& name,
                                                         const ServedTensor& served,
                                                         const LiveState& state) const;
  Result<std::vector<std::vector<storage::delta::TileLeaf>>> GatherLeaves(
      const std::string& name, const ServedTensor& served, const LiveState& state) const;
  // The state used longest ago leaves, not the one used last.
  void MakeRoom();
  Result<std::unique_ptr<LiveState>> Build(const StateId& state, const std::vector<EditId>& edits,
                                           const Deltas& deltas) const;
  // This rank's rows of a tensor in the down projection of its layer.
  at::Tensor RowsOf(const at::Tensor& weight, LayerIndex layer, std::size_t part) const;
  Status BuildTensor(LayerIndex layer, std::size_t part, const Deltas& deltas,
                     LiveState& state) const;
  // Without() on this rank: what the layers' down projections become.
  Result<std::map<LayerIndex, at::Tensor>> WeightsWithout(
      const LiveState& state, const ParentTensors& sums,
      const storage::delta::EditDelta& edit) const;

  const BaseId id_;
  const LiveBaseOptions options_;
  collective::Communicator& communicator_;
  std::uint64_t file_bytes_read_ = 0;
  std::unique_ptr<storage::checkpoint::Checkpoint> checkpoint_;
  std::unique_ptr<tokenizer::Tokenizer> tokenizer_;
  Result<std::optional<chat::ChatTemplate>> chat_ = std::optional<chat::ChatTemplate>();
  std::unique_ptr<model::Transformer> model_;
  // copied when first asked for
  mutable std::map<std::string, std::vector<std::uint8_t>> base_parts_;
  EditCache edits_;
  std::list<std::shared_ptr<const LiveState>> states_;  // most recently used first
  std::vector<StateId> kept_;
  std::pair<std::string, std::string> solver_of_;  // method and file
  std::unique_ptr<edit::Solver> solver_;
};

}  // namespace emend::worker::server
