// KeySweep: one walk of a batch's prompts through layers 0..L, stopping at each edited layer for
// keys and residuals. Internal to worker/edit.
//
//   KeySweep sweep(model, rows, fact_count, memory_bytes_max, team);
//   for (LayerIndex layer : layers) {
//     // [d_ff, facts] fp64: mean over the fact's texts; whole on every rank
//     at::Tensor keys = sweep.Keys(layer);
//     // [d, facts] fp64: z − what the bare prompt puts out at L now
//     at::Tensor residuals = sweep.Residuals(layer, layers.back(), z);
//     // the rest of the walk goes through the new weight
//     sweep.SetWeight(layer, served);
//   }
//
// Nothing is run twice but the bare prompts between an edited layer and L: a key is the input of
// its own down projection, so the block is finished after its weight is known. Texts end at the
// lookup token, since nothing after it can matter. Used by one thread. Borrows the model, the rows
// and the team. libtorch's exceptions pass through.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <span>
#include <vector>

#include "storage/base/ids.h"
#include "worker/edit/prompts.h"
#include "worker/edit/thread_team.h"
#include "worker/model/transformer.h"

namespace emend::worker::edit {

class KeySweep {
 public:
  // Rows of kind kDrift are left out. Blocks' inner halves are kept while they fit
  // `memory_bytes_max`, else they are run again.
  KeySweep(const model::Transformer& model, std::span<const PromptRow> rows,
           std::int64_t fact_count, std::int64_t memory_bytes_max, ThreadTeam& team);

  // Walks on to `layer`, which is not below the last one asked for. [d_ff, facts] fp64; of a layer
  // with experts d_ff is of all of them.
  at::Tensor Keys(LayerIndex layer);
  // What is to be added to the output of the layer's down projection so that L gives z, as far as
  // one layer can. REQUIRES: Keys(layer) was the last call. `targets` is z, [facts, d].
  at::Tensor Residuals(LayerIndex layer, LayerIndex last, const at::Tensor& targets);
  // fp32 [this rank's d_ff, d]: what `layer` puts its keys through from now on.
  void SetWeight(LayerIndex layer, const at::Tensor& weight);
  // With those weights; until the next of them.
  const model::Transformer& model() const { return *model_; }

 private:
  struct Group {
    bool is_bare = false;
    at::Tensor facts;        // int64 [rows]
    at::Tensor lookups;      // int64 [rows]
    at::Tensor key_weights;  // fp32 [rows]
    at::Tensor positions;    // int64 [rows, tokens]
    at::Tensor hidden;       // [rows, tokens, d]: the input of layer at_layer_
    model::BlockHalf half;   // of at_layer_; undefined tensors if not kept or not run yet
  };

  void AddGroups(std::span<const PromptRow> rows, RowKind kind);
  model::BlockHalf Attend(const Group& group, std::int32_t layer, const at::Tensor& hidden) const;
  void Advance(Group& group);
  void ForEachGroup(const std::function<void(Group&, std::int64_t)>& work);

  const model::Transformer* model_;  // the one given, or edited_
  std::unique_ptr<model::Transformer> edited_;
  std::map<LayerIndex, at::Tensor> weights_;
  const std::int64_t fact_count_;
  ThreadTeam& team_;
  bool keep_halves_ = false;
  std::int32_t at_layer_ = 0;
  std::vector<Group> groups_;
};

}  // namespace emend::worker::edit
