// Phi 3: Llama with fused projections, part of each head turned, and a rotation for long texts.
#include "worker/families/parts.h"
#include "worker/families/rotary.h"

namespace emend::worker::families {
namespace {

BlockPlan Phi3Block(const ModelConfig& config, const std::string& name) {
  const std::int64_t d = config.hidden, d_ff = config.intermediate;
  const std::int64_t qkv = (config.heads + 2 * config.kv_heads) * config.head_dim;
  BlockPlan block = LlamaBlock(config, name, {});
  block.query_key_value = {};
  AddOutputs(block.query_key_value, name + "self_attn.qkv_proj", d, qkv, Share::kFusedHeads,
             Bias::kNone);
  block.up = {};
  AddOutputs(block.up, name + "mlp.gate_up_proj", d, 2 * d_ff, Share::kFusedIntermediate,
             Bias::kNone);
  return block;
}

Status PlanPhi3(ConfigJson& json, const TensorNames& names, ModelPlan& model) {
  ModelConfig& config = model.config;
  EMEND_RETURN_IF_ERROR(ReadLlamaSizes(json, {.norm_epsilon = 1e-5}, config));
  EMEND_ASSIGN_OR_RETURN(const std::int64_t original,
                         json.Integer("original_max_position_embeddings", config.context));
  EMEND_ASSIGN_OR_RETURN(const RotaryPlan rotary,
                         ReadRotary(json, config, {.original_context = original}));
  EMEND_ASSIGN_OR_RETURN(const std::int64_t window, ReadWindow(json, /*if_absent=*/0));
  LayOutLlama(names, model, [&](std::int64_t, const std::string& name) {
    BlockPlan block = Phi3Block(config, name);
    block.rotary = rotary;
    block.attention.window = window;
    return block;
  });
  return OkStatus();
}

}  // namespace

constexpr Family kPhi3 = {"phi3", PlanPhi3};

}  // namespace emend::worker::families
