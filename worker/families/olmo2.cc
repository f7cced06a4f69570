// OLMo 2: Llama with its norms behind each half instead of before, and norms of all queries and of
// all keys.
#include "worker/families/parts.h"
#include "worker/families/rotary.h"

namespace emend::worker::families {
namespace {

BlockPlan Olmo2Block(const ModelConfig& config, const std::string& name, Bias bias) {
  const std::int64_t d = config.hidden;
  BlockPlan block = LlamaBlock(config, name, {.query_key_value = bias, .attention_out = bias});
  block.attention_norm = std::nullopt;
  block.mlp_norm = std::nullopt;
  block.attention_post_norm = RootMeanSquareNorm(name + "post_attention_layernorm", d);
  block.mlp_post_norm = RootMeanSquareNorm(name + "post_feedforward_layernorm", d);
  AddAllHeadsNorms(config, name, block);
  return block;
}

Status PlanOlmo2(ConfigJson& json, const TensorNames& names, ModelPlan& model) {
  EMEND_RETURN_IF_ERROR(ReadLlamaSizes(json, {.norm_epsilon = 1e-5}, model.config));
  EMEND_ASSIGN_OR_RETURN(const RotaryPlan rotary, ReadRotary(json, model.config));
  EMEND_ASSIGN_OR_RETURN(const bool attention_bias, json.Flag("attention_bias", false));
  LayOutLlama(names, model, [&](std::int64_t, const std::string& name) {
    BlockPlan block = Olmo2Block(model.config, name, BiasIf(attention_bias));
    block.rotary = rotary;
    return block;
  });
  return OkStatus();
}

}  // namespace

constexpr Family kOlmo2 = {"olmo2", PlanOlmo2};

}  // namespace emend::worker::families
