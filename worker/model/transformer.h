// A decoder-only transformer, cut open where MEMIT needs it: each block can be run up to the input
// of its down projection (the key), and finished from there.
//
//   // [batch, tokens, d]
//   at::Tensor hidden = model.Embed(ids, positions);
//   for (LayerIndex layer : layers) {
//     BlockHalf half = model.Attend(layer, {.hidden = hidden, .positions = positions, .mask =
//         mask});
//     // residual + down(key) (+ bias)
//     hidden = model.Finish(layer, half);
//   }
//   // [batch, tokens, vocabulary]
//   at::Tensor logits = model.Logits(model.FinalNorm(hidden));
//
// What the families are made of says worker/families. Weights are read-only and shared;
// WithWeights() gives a view of the same model in which some down projections are replaced, which
// is how several states are served at once. Compute is fp32 on `device`; bf16 and fp16 checkpoints
// are widened on load. Thread-safe: const methods touch no state, but for the cache that a call
// brings with it. Autograd flows through `hidden` and `past`; weights never require gradients. Over
// several ranks each holds the part that shard() names, and every rank makes the same calls in the
// same order: `hidden` and logits are whole and the same on all of them, keys and down weights are
// the rank's own part. A call that the group's loss ends throws StatusError (guard.h). Exceptions
// of libtorch pass through these methods; worker/server and worker/edit turn them into Status at
// their public functions.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "storage/base/ids.h"
#include "storage/base/status.h"
#include "storage/checkpoint/safetensors.h"
#include "worker/collective/communicator.h"
#include "worker/families/model_config.h"
#include "worker/families/shard_plan.h"

namespace emend::worker::model {

using families::ModelConfig;
using families::ShardPlan;
using families::Slice;

class CachedBatch;  // key_value_cache.h

// Keys and values of tokens already seen: each [batch, this rank's kv_heads, past, head_dim],
// rotary embedding applied.
struct PastKeyValues {
  at::Tensor keys;
  at::Tensor values;
};

struct BlockInput {
  at::Tensor hidden;  // [batch, tokens, d]
  // [batch, tokens] int64; where each token stands in its text
  at::Tensor positions;
  // additive, broadcastable to [batch, 1, tokens, past + tokens]; undefined: causal, no padding
  at::Tensor mask;
  const PastKeyValues* past = nullptr;  // null: none
  // Not null: [1, tokens] of several texts side by side over a cache, without mask and past. No
  // gradient then, and no `present`.
  const CachedBatch* cached = nullptr;
};

struct BlockHalf {
  at::Tensor residual;  // [batch, tokens, d]: what the down projection's output is added to
  // [batch, tokens, this rank's d_ff]: the down projection's input. Of a block with experts
  // [batch, tokens, active · this rank's d_ff]: of each that a token passes, times its share.
  at::Tensor key;
  at::Tensor experts = {};  // [batch, tokens, active] int64: whose keys; undefined without experts
  // past and this call's keys and values, [batch, this rank's kv_heads, past + tokens, head_dim]
  PastKeyValues present = {};

  // Without `present`, of the tokens that `take` takes of each [batch, tokens, ..].
  template <typename Take>
  BlockHalf Of(const Take& take) const {
    return {take(residual), take(key), experts.defined() ? take(experts) : experts};
  }
};

// The down projection of one layer, as the checkpoint stores it. With experts it is theirs one
// below the other: a token's key is 0 where it passes none of them.
struct DownProjection {
  // {"transformer.h.0.mlp.c_proj.weight"}, or one of each expert
  std::vector<std::string> tensors;
  bool stored_in_out = false;  // true: stored [d_ff, d] (GPT-2's Conv1D); false: stored [d, d_ff]
  std::int64_t width = 0;      // d_ff of each tensor
  std::int64_t active = 1;     // tensors that a token passes
  Slice own = {};              // what this rank has of it

  std::int64_t parts() const { return static_cast<std::int64_t>(tensors.size()); }
};

class Transformer {
 public:
  // Errors as families::PlanModel and families::PlanShard, and kInvalidArgument ("untied_head") for
  // a tied file whose head is another. Reads no more of the weights than this rank's part.
  // `communicator` must outlive the model; `device` is where the weights lie and what is computed
  // with them (device.h).
  static Result<std::unique_ptr<Transformer>> Load(
      const storage::checkpoint::Checkpoint& checkpoint, collective::Communicator& communicator,
      at::Device device = at::kCPU);

  virtual ~Transformer() = default;
  virtual const ModelConfig& config() const = 0;  // of the whole model
  virtual const ShardPlan& shard() const = 0;
  virtual collective::Communicator& communicator() const = 0;  // the ranks that hold the rest
  virtual std::uint64_t file_bytes() const = 0;                // of weights, that loading read
  // of this rank's weights in memory; those of WithDownWeights() are not counted
  virtual std::uint64_t held_bytes() const = 0;
  virtual const DownProjection& Down(LayerIndex layer) const = 0;
  // This rank's rows of the layer's down projection in compute dtype, oriented [d_ff, d] whatever
  // the file's orientation: key · weight, summed over the ranks, gives the output. fp32. Of experts
  // each one's rows in turn.
  virtual at::Tensor DownWeight(LayerIndex layer) const = 0;

  // both [batch, tokens] int64
  virtual at::Tensor Embed(const at::Tensor& ids, const at::Tensor& positions) const = 0;
  virtual BlockHalf Attend(LayerIndex layer, const BlockInput& input) const = 0;
  // The down projection's output, bias included: [batch, tokens, d], whole on every rank.
  virtual at::Tensor DownOutput(LayerIndex layer, const BlockHalf& half) const = 0;
  // What the block gives with that output in its place: `residual` and the output, which some
  // families take through a norm first.
  virtual at::Tensor FinishWith(LayerIndex layer, const at::Tensor& residual,
                                const at::Tensor& output) const = 0;
  // Whether that norm is there.
  virtual bool NormsOutput(LayerIndex layer) const = 0;
  // What to add to `output` so that the block gives `change` more, all [.., d]: linear in `change`,
  // and without a norm `change` itself. A norm's output has the length of its weight, so that only
  // what keeps it is reached in full; where its weight is next to 0 nothing is asked for.
  virtual at::Tensor OutputChange(LayerIndex layer, const at::Tensor& output,
                                  const at::Tensor& change) const = 0;
  at::Tensor Finish(LayerIndex layer, const BlockHalf& half) const {
    return FinishWith(layer, half.residual, DownOutput(layer, half));
  }
  // The ranks' parts of keys [.., this rank's d_ff] of one tensor of the layer side by side, on
  // every rank: [.., d_ff]. No gradient.
  virtual at::Tensor GatherKeys(LayerIndex layer, const at::Tensor& keys) const = 0;
  virtual at::Tensor FinalNorm(const at::Tensor& hidden) const = 0;
  // any leading shape, [.., d] to [.., vocabulary]
  virtual at::Tensor Logits(const at::Tensor& normed) const = 0;

  // The same model with these down projections (this rank's rows, fp32 [d_ff, d]) instead of its
  // own; shares everything else.
  virtual std::unique_ptr<Transformer> WithDownWeights(
      const std::map<LayerIndex, at::Tensor>& weights) const = 0;
  // The same model whose head, and projections above `layer`, multiply in bf16: input and output
  // are rounded to it, sums are fp32. Shares everything but those weights, which it holds besides:
  // half the bytes again. Attention, norms and residuals stay fp32.
  virtual std::unique_ptr<Transformer> WithBf16Above(LayerIndex layer) const = 0;
};

}  // namespace emend::worker::model
