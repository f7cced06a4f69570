// What families' layouts are put together from: norms, projections, and the decoder of Llama, of
// which most families are a variation. Inside this folder only; values and free functions.
//
//   EMEND_RETURN_IF_ERROR(ReadLlamaSizes(json, {}, model.config));
//   EMEND_ASSIGN_OR_RETURN(const RotaryPlan rotary, ReadRotary(json, model.config));
//   LayOutLlama(names, model, [&](std::int64_t layer, const std::string& name) {
//     BlockPlan block = LlamaBlock(model.config, name, {});
//     block.rotary = rotary;
//     return block;
//   });
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "worker/families/config_json.h"
#include "worker/families/families.h"

namespace emend::worker::families {

NormPlan RootMeanSquareNorm(const std::string& name, std::int64_t width);
NormPlan LayerNorm(const std::string& name, std::int64_t width);

enum class Bias : std::uint8_t { kNone, kThere };
constexpr Bias BiasIf(bool is_there) { return is_there ? Bias::kThere : Bias::kNone; }

// Projections stored [out, in]. Into a part that ranks share: cut by its outputs, and its bias with
// them.
void AddOutputs(ProjectionPlan& projection, const std::string& name, std::int64_t in,
                std::int64_t out, Share share, Bias bias);
// Out of such a part: cut by its inputs; the bias is every rank's.
ProjectionPlan ProjectionOut(const std::string& name, std::int64_t in, std::int64_t out,
                             Share share, Bias bias);

// The blocks, as many as the config says: a config may name more than memory has room for, and as
// many as the file has tensors are enough to find one that is missing.
std::vector<BlockPlan> LayOutBlocks(const ModelConfig& config, const TensorNames& names,
                                    const std::function<BlockPlan(std::int64_t layer)>& block);

// The window of each layer: `window` where `layer_types` says "sliding_attention", or, without that
// key, where `is_windowed` says so; else 0.
Result<std::vector<std::int64_t>> ReadWindows(
    ConfigJson& json, const ModelConfig& config, std::int64_t window,
    const std::function<bool(std::int64_t layer)>& is_windowed);

// `sliding_window`: 0 where it is null.
Result<std::int64_t> ReadWindow(ConfigJson& json, std::int64_t if_absent);

// Sizes under the names of GPT-2 and GPT-J, their LayerNorm and activation; as many keys and values
// as queries. kInvalidArgument ("bad_config") for heads that do not divide.
Status ReadGptSizes(ConfigJson& json, ModelConfig& config);
// The same of any config whose two keys have these names.
Status DivideHeads(const ConfigJson& json, const std::string& hidden_key,
                   const std::string& heads_key, ModelConfig& config);

// What a family takes for a key that its config leaves out.
struct LlamaDefaults {
  std::string activation_key = "hidden_act";
  std::string activation = "silu";
  double norm_epsilon = 1e-6;
  std::int64_t head_dim = 0;  // 0: hidden_size / num_attention_heads
  bool is_head_tied = false;
};
// Sizes, activation, epsilon and tied head, under the names that these families share.
// kInvalidArgument ("bad_config") for heads that do not divide.
Status ReadLlamaSizes(ConfigJson& json, const LlamaDefaults& defaults, ModelConfig& config);

struct LlamaBiases {
  Bias query_key_value = Bias::kNone;
  Bias attention_out = Bias::kNone;
  Bias mlp = Bias::kNone;
};
// From `attention_bias` and `mlp_bias`.
Result<LlamaBiases> ReadLlamaBiases(ConfigJson& json);
// A norm before each half, grouped queries, a gated feed-forward part; no rotation yet. `name` is
// what the names of its tensors begin with.
BlockPlan LlamaBlock(const ModelConfig& config, const std::string& name, const LlamaBiases& biases);
// Norms of queries and keys, each over the elements of a head; or over those of all heads.
void AddHeadNorms(const ModelConfig& config, const std::string& name, BlockPlan& block);
void AddAllHeadsNorms(const ModelConfig& config, const std::string& name, BlockPlan& block);

// Numbers of experts, and whether their shares are normed, under the names that families share.
// kInvalidArgument ("bad_config") for fewer experts than a token passes.
Result<ExpertsPlan> ReadExperts(ConfigJson& json, std::int64_t width);
// Puts a router and experts in the place of a block's feed-forward part: as many as the file can
// have of each block, and one more, are enough to find one that is missing.
void AddExperts(const ModelConfig& config, const std::string& name, const TensorNames& names,
                ExpertsPlan experts, BlockPlan& block);
// Embedding, blocks, final norm, head. The config's d_ff becomes the greatest of the blocks.
void LayOutLlama(
    const TensorNames& names, ModelPlan& model,
    const std::function<BlockPlan(std::int64_t layer, const std::string& name)>& block);

}  // namespace emend::worker::families
