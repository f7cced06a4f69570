// GPT-J: both halves read one LayerNorm of the block's input; part of each head is turned, in
// neighbouring pairs; a plain feed-forward part; a head with a bias.
#include "worker/families/parts.h"
#include "worker/families/rotary.h"

namespace emend::worker::families {
namespace {

BlockPlan GptJBlock(const ModelConfig& config, const std::string& name) {
  const std::int64_t d = config.hidden, d_ff = config.intermediate;
  BlockPlan block{
      .attention_norm = LayerNorm(name + "ln_1", d),
      .query_key_value = {},
      .attention_out = ProjectionOut(name + "attn.out_proj", d, d, Share::kHeads, Bias::kNone),
      .is_parallel = true,
      .mlp_norm = LayerNorm(name + "ln_1", d),
      .up = {},
      .down = ProjectionOut(name + "mlp.fc_out", d_ff, d, Share::kIntermediate, Bias::kThere)};
  for (const char* part : {"attn.q_proj", "attn.k_proj", "attn.v_proj"})
    AddOutputs(block.query_key_value, name + part, d, d, Share::kHeads, Bias::kNone);
  AddOutputs(block.up, name + "mlp.fc_in", d, d_ff, Share::kIntermediate, Bias::kThere);
  return block;
}

Status PlanGptJ(ConfigJson& json, const TensorNames& names, ModelPlan& model) {
  const ModelConfig& config = model.config;
  EMEND_RETURN_IF_ERROR(ReadGptSizes(json, model.config));
  EMEND_ASSIGN_OR_RETURN(model.config.tied_head, json.Flag("tie_word_embeddings", false));
  json.Harmless({"n_ctx"});
  EMEND_RETURN_IF_ERROR(json.Neutral({{"rotary", "true"}}));
  EMEND_ASSIGN_OR_RETURN(const std::int64_t turned, json.Integer("rotary_dim", 64));
  if (turned % 2 != 0 || turned > config.head_dim)
    return json.Bad("expected an even rotary_dim of at most " + std::to_string(config.head_dim));
  RotaryPlan rotary = PlainRotary(RotaryDefaults().theta, turned);
  rotary.is_interleaved = true;
  const std::string prefix = names.contains("wte.weight") ? "" : "transformer.";
  const std::vector<std::int64_t> embedding = {config.vocabulary, config.hidden};
  model.layout = {.token_embedding = {prefix + "wte.weight", embedding, Share::kVocabulary},
                  .blocks = LayOutBlocks(config, names,
                                         [&](std::int64_t layer) {
                                           BlockPlan block = GptJBlock(
                                               config, prefix + "h." + std::to_string(layer) + ".");
                                           block.rotary = rotary;
                                           return block;
                                         }),
                  .final_norm = LayerNorm(prefix + "ln_f", config.hidden),
                  .head = {"lm_head.weight", embedding, Share::kVocabulary},
                  .head_bias = TensorPlan{"lm_head.bias", {config.vocabulary}, Share::kVocabulary},
                  // The causal mask and the angles that older files carry.
                  .buffers = {".attn.bias", ".attn.masked_bias", ".attn.embed_positions"}};
  return OkStatus();
}

}  // namespace

constexpr Family kGptJ = {"gptj", PlanGptJ};

}  // namespace emend::worker::families
