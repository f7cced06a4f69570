// GPT-2: LayerNorm before each half, learned positions, one fused query-key-value projection,
// projections stored [in, out] (Conv1D).
#include "worker/families/parts.h"

namespace emend::worker::families {
namespace {

Status ReadGpt2Sizes(ConfigJson& json, ModelConfig& config) {
  config.norm = NormKind::kLayer;
  EMEND_ASSIGN_OR_RETURN(config.layers, json.Integer("n_layer", {}));
  EMEND_ASSIGN_OR_RETURN(config.hidden, json.Integer("n_embd", {}));
  EMEND_ASSIGN_OR_RETURN(config.intermediate, json.Integer("n_inner", 4 * config.hidden));
  EMEND_ASSIGN_OR_RETURN(config.heads, json.Integer("n_head", {}));
  EMEND_ASSIGN_OR_RETURN(config.context, json.Integer("n_positions", {}));
  EMEND_ASSIGN_OR_RETURN(const std::int64_t n_ctx, json.Integer("n_ctx", config.context));
  EMEND_ASSIGN_OR_RETURN(config.norm_epsilon, json.PositiveNumber("layer_norm_epsilon", 1e-5));
  EMEND_ASSIGN_OR_RETURN(config.activation,
                         json.ActivationNamed("activation_function", "gelu_new"));
  EMEND_ASSIGN_OR_RETURN(config.tied_head, json.Flag("tie_word_embeddings", true));
  json.Harmless({"n_special", "reorder_and_upcast_attn", "summary_activation",
                 "summary_first_dropout", "summary_proj_to_labels", "summary_type",
                 "summary_use_proj"});
  EMEND_RETURN_IF_ERROR(json.Neutral({{"position_embedding_type", "\"absolute\""},
                                      {"scale_attn_by_inverse_layer_idx", "false"},
                                      {"scale_attn_weights", "true"}}));
  if (config.hidden % config.heads != 0 || n_ctx != config.context)
    return json.Bad("expected n_embd to be a multiple of n_head, and n_ctx to equal n_positions");
  config.kv_heads = config.heads;
  config.head_dim = config.hidden / config.heads;
  return OkStatus();
}

// Stored [in, out]. Cut by its outputs, and its bias with them.
ProjectionPlan Conv1dInto(const std::string& name, std::int64_t in, std::int64_t out, Share share) {
  return {.weights = {{name + ".weight", {in, out}, share, 1}},
          .biases = {{name + ".bias", {out}, share, 0}},
          .stored_in_out = true};
}

// Cut by its inputs; the bias is every rank's.
ProjectionPlan Conv1dOut(const std::string& name, std::int64_t in, std::int64_t out, Share share) {
  return {.weights = {{name + ".weight", {in, out}, share, 0}},
          .biases = {{name + ".bias", {out}}},
          .stored_in_out = true};
}

BlockPlan Gpt2Block(const ModelConfig& config, const std::string& name) {
  const std::int64_t d = config.hidden, d_ff = config.intermediate;
  return {.attention_norm = LayerNorm(name + "ln_1", d),
          .query_key_value = Conv1dInto(name + "attn.c_attn", d, 3 * d, Share::kFusedHeads),
          .attention_out = Conv1dOut(name + "attn.c_proj", d, d, Share::kHeads),
          .mlp_norm = LayerNorm(name + "ln_2", d),
          .up = Conv1dInto(name + "mlp.c_fc", d, d_ff, Share::kIntermediate),
          .down = Conv1dOut(name + "mlp.c_proj", d_ff, d, Share::kIntermediate)};
}

Status PlanGpt2(ConfigJson& json, const TensorNames& names, ModelPlan& model) {
  const ModelConfig& config = model.config;
  EMEND_RETURN_IF_ERROR(ReadGpt2Sizes(json, model.config));
  const std::string prefix = names.contains("wte.weight") ? "" : "transformer.";
  const std::vector<std::int64_t> embedding = {config.vocabulary, config.hidden};
  model.layout = {
      .token_embedding = {prefix + "wte.weight", embedding, Share::kVocabulary},
      .position_embedding = TensorPlan{prefix + "wpe.weight", {config.context, config.hidden}},
      .blocks = LayOutBlocks(config, names,
                             [&](std::int64_t layer) {
                               return Gpt2Block(config,
                                                prefix + "h." + std::to_string(layer) + ".");
                             }),
      .final_norm = LayerNorm(prefix + "ln_f", config.hidden),
      .head = {"lm_head.weight", embedding, Share::kVocabulary},
      // The causal mask that older files carry.
      .buffers = {".attn.bias", ".attn.masked_bias"}};
  return OkStatus();
}

}  // namespace

constexpr Family kGpt2 = {"gpt2", PlanGpt2};

}  // namespace emend::worker::families
