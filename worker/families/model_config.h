// ModelConfig: what a decoder-only model is made of, read from its config.json by its family.
#pragma once

#include <algorithm>
#include <cstdint>
#include <string>
#include <vector>

namespace emend::worker::families {

enum class Activation : std::uint8_t { kGelu, kGeluTanh, kSilu, kRelu };
enum class NormKind : std::uint8_t { kLayer, kRootMeanSquare };

struct ModelConfig {
  std::string family;  // its model_type: "gpt2", "llama", ...
  std::int64_t layers = 0;
  std::int64_t hidden = 0;  // d
  // d_ff: the down projection's input; of a model with experts, of those that a token passes
  std::int64_t intermediate = 0;
  std::int64_t heads = 0;
  std::int64_t kv_heads = 0;
  std::int64_t head_dim = 0;
  std::int64_t vocabulary = 0;  // rows of the embedding
  std::int64_t context = 0;     // positions
  NormKind norm = NormKind::kLayer;
  double norm_epsilon = 1e-5;
  Activation activation = Activation::kGelu;
  bool gated = false;  // the feed-forward part multiplies an activated gate with another projection
  bool tied_head = false;
  double embedding_scale = 1;            // of a token's row in the embedding
  double logit_softcap = 0;              // logits become cap · tanh(logits / cap); 0: none
  std::int32_t bos_token = -1;           // -1: none
  std::vector<std::int32_t> eos_tokens;  // each ends a text

  bool Ends(std::int64_t token) const {
    return std::ranges::find(eos_tokens, token) != eos_tokens.end();
  }
};

}  // namespace emend::worker::families
