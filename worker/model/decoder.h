// Decoder: what the families of transformer.h have in common. A family adds its embedding, its norm, its rotation and its activation.
//
// Invariants: every projection lies [in, out], contiguous; `blocks` has config().layers entries; nothing changes after construction, so copies share tensors.
#pragma once

#include <ATen/core/Tensor.h>

#include <map>
#include <memory>
#include <string>
#include <vector>

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
  Projection query_key_value;  // [d, (heads + 2 kv_heads) · head_dim]: all queries, then all keys, then all values
  Projection attention_out;    // [heads · head_dim, d], row-cut over ranks
  Norm mlp_norm;
  Projection up;    // [d, d_ff], or [d, 2 d_ff] with the gate first
  Projection down;  // [d_ff, d], row-cut over ranks
  DownProjection down_stored;
};

struct DecoderWeights {
  at::Tensor token_embedding;  // [vocabulary, d]
  std::vector<Block> blocks;
  Norm final_norm;
  at::Tensor head;  // [vocabulary, d]; the embedding itself where tied
};

class Decoder : public Transformer {
 public:
  const ModelConfig& config() const final { return config_; }
  DownProjection Down(LayerIndex layer) const final { return BlockAt(layer).down_stored; }
  at::Tensor DownWeight(LayerIndex layer) const final { return BlockAt(layer).down.weight; }

  BlockHalf Attend(LayerIndex layer, const BlockInput& input) const final;
  at::Tensor Finish(LayerIndex layer, const BlockHalf& half) const final;
  at::Tensor FinalNorm(const at::Tensor& hidden) const final { return Normalize(hidden, weights_.final_norm); }
  at::Tensor Logits(const at::Tensor& normed) const final;
  std::unique_ptr<Transformer> WithDownWeights(const std::map<LayerIndex, at::Tensor>& weights) const final;

 protected:
  Decoder(ModelConfig config, DecoderWeights weights, collective::Communicator& communicator);
  Decoder(const Decoder&) = default;

  const DecoderWeights& weights() const { return weights_; }

 private:
  virtual std::unique_ptr<Decoder> Clone() const = 0;
  virtual at::Tensor Normalize(const at::Tensor& input, const Norm& norm) const = 0;
  // `heads` [batch, tokens, heads, head_dim], queries and keys alike; positions [batch, tokens].
  virtual at::Tensor Rotate(const at::Tensor& heads, const at::Tensor& positions) const;
  // From the up projection's output to the down projection's input.
  virtual at::Tensor Key(const at::Tensor& up) const = 0;

  const Block& BlockAt(LayerIndex layer) const;
  // input · weight + bias, for a projection whose input dimension is cut over the ranks: the ranks' partial products are summed before the bias.
  at::Tensor RowCut(const at::Tensor& input, const Projection& projection) const;
  at::Tensor SumOverRanks(at::Tensor partial) const;

  ModelConfig config_;
  DecoderWeights weights_;
  collective::Communicator* communicator_;
};

}  // namespace emend::worker::model
