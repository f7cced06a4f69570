// Decoder: what the families of transformer.h have in common. A family adds its positions, its
// norm, its rotation and its activation.
//
// Invariants: every projection lies [in, out], contiguous; `blocks` has config().layers entries;
// nothing changes after construction, so copies share tensors. Sizes below are the rank's own part
// (shard_plan.h) but for d.
#pragma once

#include <ATen/core/Tensor.h>

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "worker/model/rank_cuts.h"
#include "worker/model/transformer.h"

namespace emend::worker::model {

struct Norm {
  at::Tensor weight;  // [d]
  at::Tensor bias;    // [d], or undefined
};

struct Projection {
  at::Tensor weight;  // [in, out]
  at::Tensor bias;    // [out], or undefined
};

struct Block {
  Norm attention_norm;
  // [d, (heads + 2 kv_heads) · head_dim]: all queries, then all keys, then all values
  Projection query_key_value;
  Projection attention_out;  // [heads · head_dim, d]; the bias is every rank's
  Norm mlp_norm;
  Projection up;    // [d, d_ff], or [d, 2 d_ff] with the gate first
  Projection down;  // [d_ff, d]; the bias is every rank's
  DownProjection down_stored;
};

struct DecoderWeights {
  at::Tensor token_embedding;  // [vocabulary, d]
  std::vector<Block> blocks;
  Norm final_norm;
  at::Tensor head;               // [vocabulary, d]; the embedding itself where tied
  std::uint64_t file_bytes = 0;  // read for them
  std::uint64_t held_bytes = 0;  // of all that the family holds
};

class Decoder : public Transformer {
 public:
  const ModelConfig& config() const final { return config_; }
  const ShardPlan& shard() const final { return shard_; }
  collective::Communicator& communicator() const final { return *communicator_; }
  std::uint64_t file_bytes() const final { return weights_.file_bytes; }
  std::uint64_t held_bytes() const final { return weights_.held_bytes; }
  DownProjection Down(LayerIndex layer) const final { return BlockAt(layer).down_stored; }
  at::Tensor DownWeight(LayerIndex layer) const final { return BlockAt(layer).down.weight; }

  BlockHalf Attend(LayerIndex layer, const BlockInput& input) const final;
  at::Tensor Finish(LayerIndex layer, const BlockHalf& half) const final;
  at::Tensor GatherKeys(const at::Tensor& keys) const final {
    return GatherCut(keys.detach(), intermediate_, *communicator_);
  }
  at::Tensor FinalNorm(const at::Tensor& hidden) const final {
    return Normalize(hidden, weights_.final_norm);
  }
  at::Tensor Logits(const at::Tensor& normed) const final;
  std::unique_ptr<Transformer> WithDownWeights(
      const std::map<LayerIndex, at::Tensor>& weights) const final;

 protected:
  // `shard` is the communicator's rank's.
  Decoder(ModelConfig config, const ShardPlan& shard, DecoderWeights weights,
          collective::Communicator& communicator);
  Decoder(const Decoder&) = default;

  // [batch, tokens, d] of the token embedding, whole.
  at::Tensor EmbedTokens(const at::Tensor& ids) const;

 private:
  virtual std::unique_ptr<Decoder> Clone() const = 0;
  virtual at::Tensor Normalize(const at::Tensor& input, const Norm& norm) const = 0;
  // `heads` [batch, tokens, heads, head_dim], queries and keys alike; positions [batch, tokens].
  virtual at::Tensor Rotate(const at::Tensor& heads, const at::Tensor& positions) const;
  // From the up projection's output to the down projection's input.
  virtual at::Tensor Key(const at::Tensor& up) const = 0;

  const Block& BlockAt(LayerIndex layer) const;
  // input · weight + bias of a projection whose inputs are cut over the ranks: the sum of the
  // partial products, before the bias.
  at::Tensor RowCut(const at::Tensor& input, const Projection& projection) const;

  ModelConfig config_;
  ShardPlan shard_;
  std::vector<Slice> vocabulary_;  // of all ranks
  std::vector<Slice> intermediate_;
  DecoderWeights weights_;
  collective::Communicator* communicator_;
};

}  // namespace emend::worker::model
