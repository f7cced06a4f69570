// Decoder: a transformer of blocks whose parts are data (families/model_layout.h), those that a
// family leaves out included.
//
// Invariants: every projection lies [in, out], contiguous; `blocks` has config().layers entries;
// nothing changes after construction, so copies share tensors. Sizes below are the rank's own part
// (shard_plan.h) but for d.
#pragma once

#include <ATen/core/Tensor.h>

#include <map>
#include <memory>
#include <optional>
#include <vector>

#include "worker/families/model_layout.h"
#include "worker/model/experts.h"
#include "worker/model/rank_cuts.h"
#include "worker/model/transformer.h"

namespace emend::worker::model {

struct Norm {
  at::Tensor weight;  // [width]; what scales, whatever was stored
  at::Tensor bias;    // [width], or undefined
  // Over the elements of all heads of all ranks, of which `weight` are this rank's.
  bool is_over_heads = false;
};

struct Projection {
  at::Tensor weight;     // [in, out]
  at::Tensor bias;       // [out], or undefined
  at::Tensor bf16 = {};  // the weight as it multiplies; undefined: as it is
};

// families::RotaryPlan
struct Rotation {
  at::Tensor cosine;  // [context, pairs], times the magnitude
  at::Tensor sine;
  bool is_interleaved = false;
};

struct Block {
  std::optional<Norm> attention_norm;
  // [d, (heads + 2 kv_heads) · head_dim]: all queries, then all keys, then all values
  Projection query_key_value;
  std::optional<Norm> query_norm;  // before heads are rotated
  std::optional<Norm> key_norm;
  std::optional<Rotation> rotation;
  families::AttentionPlan attention;
  Projection attention_out;  // [heads · head_dim, d]; the bias is every rank's
  std::optional<Norm> attention_post_norm;
  bool is_parallel = false;
  std::optional<Norm> mlp_norm;
  std::optional<Experts> experts;
  Projection up;    // [d, d_ff], or [d, 2 d_ff] with the gate first; [experts, d, ..] of each
  Projection down;  // [d_ff, d], of each expert in turn; the bias is every rank's
  std::optional<Norm> mlp_post_norm;
  DownProjection down_stored;
};

struct DecoderWeights {
  at::Tensor token_embedding;     // [vocabulary, d]
  at::Tensor position_embedding;  // [context, d], or undefined
  std::vector<Block> blocks;
  Norm final_norm;
  at::Tensor head;               // [vocabulary, d]; the embedding itself where tied
  at::Tensor head_bias;          // [vocabulary], or undefined
  at::Tensor head_bf16 = {};     // as Projection::bf16
  std::uint64_t file_bytes = 0;  // read for them
  std::uint64_t held_bytes = 0;
};

// This rank's part of what the plan names. May throw libtorch's exceptions. kDataLoss
// ("base_damaged"), kInvalidArgument ("untied_head").
Result<DecoderWeights> TakeWeights(const families::ModelPlan& plan,
                                   const storage::checkpoint::Checkpoint& checkpoint,
                                   const ShardPlan& shard, at::Device device);

class Decoder final : public Transformer {
 public:
  // `shard` is the communicator's rank's.
  Decoder(ModelConfig config, const ShardPlan& shard, DecoderWeights weights,
          collective::Communicator& communicator);

  const ModelConfig& config() const override { return config_; }
  const ShardPlan& shard() const override { return shard_; }
  collective::Communicator& communicator() const override { return *communicator_; }
  std::uint64_t file_bytes() const override { return weights_.file_bytes; }
  std::uint64_t held_bytes() const override { return weights_.held_bytes; }
  const DownProjection& Down(LayerIndex layer) const override { return BlockAt(layer).down_stored; }
  at::Tensor DownWeight(LayerIndex layer) const override { return BlockAt(layer).down.weight; }

  at::Tensor Embed(const at::Tensor& ids, const at::Tensor& positions) const override;
  BlockHalf Attend(LayerIndex layer, const BlockInput& input) const override;
  at::Tensor DownOutput(LayerIndex layer, const BlockHalf& half) const override;
  at::Tensor FinishWith(LayerIndex layer, const at::Tensor& residual,
                        const at::Tensor& output) const override;
  bool NormsOutput(LayerIndex layer) const override {
    return BlockAt(layer).mlp_post_norm.has_value();
  }
  at::Tensor OutputChange(LayerIndex layer, const at::Tensor& output,
                          const at::Tensor& change) const override;
  at::Tensor GatherKeys(LayerIndex layer, const at::Tensor& keys) const override;
  at::Tensor FinalNorm(const at::Tensor& hidden) const override {
    return Normalize(hidden, weights_.final_norm);
  }
  at::Tensor Logits(const at::Tensor& normed) const override;
  std::unique_ptr<Transformer> WithDownWeights(
      const std::map<LayerIndex, at::Tensor>& weights) const override;
  std::unique_ptr<Transformer> WithBf16Above(LayerIndex layer) const override;

 private:
  // [batch, tokens, d] of the token embedding, whole.
  at::Tensor EmbedTokens(const at::Tensor& ids) const;
  // Over the last dimension, or the last two of heads: [batch, tokens, heads, head_dim].
  at::Tensor Normalize(const at::Tensor& input, const Norm& norm) const;
  at::Tensor NormalizeOverHeads(const at::Tensor& heads, const Norm& norm) const;
  at::Tensor Normalize(const at::Tensor& input, const std::optional<Norm>& norm) const {
    return norm ? Normalize(input, *norm) : input;
  }
  // From the up projection's output to the down projection's input.
  at::Tensor Key(const at::Tensor& up) const;
  // Sets the key, and whose it is, of what comes to the second half: [batch, tokens, d].
  void PassExperts(const Block& block, const at::Tensor& input, BlockHalf& half) const;
  const Block& BlockAt(LayerIndex layer) const;
  // input · weight + bias of a projection whose inputs are cut over the ranks: the sum of the
  // partial products, before the bias.
  at::Tensor RowCut(const at::Tensor& input, const Projection& projection) const;
  // The same of a product that was taken.
  at::Tensor SumRows(const at::Tensor& product, const Projection& projection) const;

  ModelConfig config_;
  ShardPlan shard_;
  std::vector<Slice> vocabulary_;  // of all ranks
  DecoderWeights weights_;
  collective::Communicator* communicator_;
};

}  // namespace emend::worker::model
