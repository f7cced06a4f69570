// GPT-NeoX and Pythia: both halves read the block's input, each through a LayerNorm of its own; one
// fused projection, head by head; part of each head is turned; a plain feed-forward part.
#include "worker/families/parts.h"
#include "worker/families/rotary.h"

namespace emend::worker::families {
namespace {

Status ReadNeoXSizes(ConfigJson& json, ModelConfig& config) {
  config.norm = NormKind::kLayer;
  EMEND_ASSIGN_OR_RETURN(config.layers, json.Integer("num_hidden_layers", {}));
  EMEND_ASSIGN_OR_RETURN(config.hidden, json.Integer("hidden_size", {}));
  EMEND_ASSIGN_OR_RETURN(config.intermediate, json.Integer("intermediate_size", {}));
  EMEND_ASSIGN_OR_RETURN(config.heads, json.Integer("num_attention_heads", {}));
  EMEND_ASSIGN_OR_RETURN(config.context, json.Integer("max_position_embeddings", {}));
  EMEND_ASSIGN_OR_RETURN(config.norm_epsilon, json.PositiveNumber("layer_norm_eps", 1e-5));
  EMEND_ASSIGN_OR_RETURN(config.activation, json.ActivationNamed("hidden_act", "gelu"));
  EMEND_ASSIGN_OR_RETURN(config.tied_head, json.Flag("tie_word_embeddings", false));
  json.Harmless({"classifier_dropout"});
  return DivideHeads(json, "hidden_size", "num_attention_heads", config);
}

Result<RotaryPlan> ReadNeoXRotary(ConfigJson& json, ModelConfig& config) {
  RotaryDefaults defaults;
  EMEND_ASSIGN_OR_RETURN(defaults.theta, json.PositiveNumber("rotary_emb_base", 10000));
  EMEND_ASSIGN_OR_RETURN(defaults.partial, json.PositiveNumber("rotary_pct", 0.25));
  return ReadRotary(json, config, defaults);
}

BlockPlan NeoXBlock(const ModelConfig& config, const std::string& name, Bias bias) {
  const std::int64_t d = config.hidden, d_ff = config.intermediate;
  BlockPlan block{
      .attention_norm = LayerNorm(name + "input_layernorm", d),
      .query_key_value = {},
      .attention_out = ProjectionOut(name + "attention.dense", d, d, Share::kHeads, bias),
      .mlp_norm = LayerNorm(name + "post_attention_layernorm", d),
      .up = {},
      .down =
          ProjectionOut(name + "mlp.dense_4h_to_h", d_ff, d, Share::kIntermediate, Bias::kThere)};
  AddOutputs(block.query_key_value, name + "attention.query_key_value", d, 3 * d,
             Share::kHeadByHead, bias);
  AddOutputs(block.up, name + "mlp.dense_h_to_4h", d, d_ff, Share::kIntermediate, Bias::kThere);
  return block;
}

Status PlanNeoX(ConfigJson& json, const TensorNames& names, ModelPlan& model) {
  const ModelConfig& config = model.config;
  EMEND_RETURN_IF_ERROR(ReadNeoXSizes(json, model.config));
  EMEND_ASSIGN_OR_RETURN(const RotaryPlan rotary, ReadNeoXRotary(json, model.config));
  EMEND_ASSIGN_OR_RETURN(const bool is_parallel, json.Flag("use_parallel_residual", true));
  EMEND_ASSIGN_OR_RETURN(const bool attention_bias, json.Flag("attention_bias", true));
  const std::string prefix = names.contains("embed_in.weight") ? "" : "gpt_neox.";
  const std::string head = names.contains("lm_head.weight") ? "lm_head" : "embed_out";
  const std::vector<std::int64_t> embedding = {config.vocabulary, config.hidden};
  model.layout = {.token_embedding = {prefix + "embed_in.weight", embedding, Share::kVocabulary},
                  .blocks = LayOutBlocks(config, names,
                                         [&](std::int64_t layer) {
                                           BlockPlan block = NeoXBlock(
                                               config,
                                               prefix + "layers." + std::to_string(layer) + ".",
                                               BiasIf(attention_bias));
                                           block.rotary = rotary;
                                           block.is_parallel = is_parallel;
                                           return block;
                                         }),
                  .final_norm = LayerNorm(prefix + "final_layer_norm", config.hidden),
                  .head = {head + ".weight", embedding, Share::kVocabulary},
                  // The causal mask and the frequencies that older files carry.
                  .buffers = {".attention.bias", ".attention.masked_bias", ".rotary_emb.inv_freq"}};
  return OkStatus();
}

}  // namespace

constexpr Family kGptNeoX = {"gpt_neox", PlanNeoX};

}  // namespace emend::worker::families
