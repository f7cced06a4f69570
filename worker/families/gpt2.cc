// GPT-2: LayerNorm before each half, learned positions, one fused query-key-value projection,
// projections stored [in, out] (Conv1D).
#include "worker/families/parts.h"

namespace emend::worker::families {
namespace {

Status ReadGpt2Sizes(ConfigJson& json, ModelConfig& config) {
  EMEND_RETURN_IF_ERROR(ReadGptSizes(json, config));
  EMEND_ASSIGN_OR_RETURN(const std::int64_t n_ctx, json.Integer("n_ctx", config.context));
  EMEND_ASSIGN_OR_RETURN(config.tied_head, json.Flag("tie_word_embeddings", true));
  json.Harmless({"n_special", "reorder_and_upcast_attn"});
  EMEND_RETURN_IF_ERROR(json.Neutral(
      {{"position_embedding_type", "\"absolute\""}, {"scale_attn_by_inverse_layer_idx", "false"}}));
  return n_ctx == config.context ? OkStatus() : json.Bad("expected n_ctx to equal n_positions");
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
