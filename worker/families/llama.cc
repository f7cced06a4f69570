// Llama: RMSNorm before each half, rotary positions over half-split heads, grouped keys and values,
// gated feed-forward part, projections stored [out, in].
#include "worker/families/config_json.h"
#include "worker/families/families.h"

namespace emend::worker::families {
namespace {

// Newer files keep the rotary settings in an object, older ones beside the rest. Scaled rotations
// are another function and refused, unless they scale by 1.
Status ReadRotary(ConfigJson& json, ModelConfig& config) {
  EMEND_ASSIGN_OR_RETURN(config.rope_theta, json.PositiveNumber("rope_theta", 10000.0));
  for (const char* key : {"rope_scaling", "rope_parameters"}) {
    EMEND_ASSIGN_OR_RETURN(std::optional<ConfigJson> rope, json.Object(key));
    if (!rope) continue;
    EMEND_ASSIGN_OR_RETURN(config.rope_theta,
                           rope->PositiveNumber("rope_theta", config.rope_theta));
    for (const char* type : {"rope_type", "type"}) {
      EMEND_ASSIGN_OR_RETURN(const std::string found, rope->Text(type, "default"));
      if (found == "linear" || found == "dynamic") {
        EMEND_RETURN_IF_ERROR(rope->PositiveNumber("factor", {}).status());
      } else if (found != "default") {
        return rope->Unsupported(type, "\"default\"");
      }
    }
    rope->Harmless({"original_max_position_embeddings"});
    EMEND_RETURN_IF_ERROR(rope->Neutral(
        {{"attention_factor", "1"}, {"factor", "1"}, {"partial_rotary_factor", "1"}}));
    EMEND_RETURN_IF_ERROR(rope->RefuseUnread());
  }
  return OkStatus();
}

Status CheckHeads(const ConfigJson& json, const ModelConfig& config) {
  if (config.heads % config.kv_heads == 0 && config.head_dim % 2 == 0 && config.head_dim > 0)
    return OkStatus();
  return json.Bad(
      "expected num_attention_heads to be a multiple of num_key_value_heads, and an even head_dim; "
      "found " +
      std::to_string(config.heads) + ", " + std::to_string(config.kv_heads) + " and " +
      std::to_string(config.head_dim));
}

// A part of a projection of `in` elements, cut by its outputs.
void AddOutputs(ProjectionPlan& projection, const std::string& name, std::int64_t in,
                std::int64_t out, Share share, bool has_bias) {
  projection.weights.push_back({name + ".weight", {out, in}, share, 0});
  if (has_bias) projection.biases.push_back({name + ".bias", {out}, share, 0});
}

// Cut by its inputs; the bias is every rank's.
ProjectionPlan ProjectionOut(const std::string& name, std::int64_t in, std::int64_t out,
                             Share share, bool has_bias) {
  ProjectionPlan projection{.weights = {{name + ".weight", {out, in}, share, 1}}};
  if (has_bias) projection.biases = {{name + ".bias", {out}}};
  return projection;
}

BlockPlan LlamaBlock(const ModelConfig& config, const std::string& name) {
  const std::int64_t d = config.hidden, d_ff = config.intermediate;
  const std::int64_t q = config.heads * config.head_dim, kv = config.kv_heads * config.head_dim;
  const std::string attention = name + "self_attn.", mlp = name + "mlp.";
  BlockPlan block{
      .attention_norm = {.weight = {name + "input_layernorm.weight", {d}}},
      .query_key_value = {},
      .rotary = RotaryPlan{.theta = config.rope_theta},
      .attention_out =
          ProjectionOut(attention + "o_proj", q, d, Share::kHeads, config.attention_bias),
      .mlp_norm = {.weight = {name + "post_attention_layernorm.weight", {d}}},
      .up = {},
      .down = ProjectionOut(mlp + "down_proj", d_ff, d, Share::kIntermediate, config.mlp_bias)};
  ProjectionPlan& qkv = block.query_key_value;
  AddOutputs(qkv, attention + "q_proj", d, q, Share::kHeads, config.attention_bias);
  AddOutputs(qkv, attention + "k_proj", d, kv, Share::kKvHeads, config.attention_bias);
  AddOutputs(qkv, attention + "v_proj", d, kv, Share::kKvHeads, config.attention_bias);
  AddOutputs(block.up, mlp + "gate_proj", d, d_ff, Share::kIntermediate, config.mlp_bias);
  AddOutputs(block.up, mlp + "up_proj", d, d_ff, Share::kIntermediate, config.mlp_bias);
  return block;
}

Status ReadLlamaConfig(ConfigJson& json, ModelConfig& config) {
  config.norm = NormKind::kRootMeanSquare;
  config.gated = true;
  EMEND_ASSIGN_OR_RETURN(config.layers, json.Integer("num_hidden_layers", {}));
  EMEND_ASSIGN_OR_RETURN(config.hidden, json.Integer("hidden_size", {}));
  EMEND_ASSIGN_OR_RETURN(config.intermediate, json.Integer("intermediate_size", {}));
  EMEND_ASSIGN_OR_RETURN(config.heads, json.Integer("num_attention_heads", {}));
  EMEND_ASSIGN_OR_RETURN(config.kv_heads, json.Integer("num_key_value_heads", config.heads));
  EMEND_ASSIGN_OR_RETURN(config.head_dim, json.Integer("head_dim", config.hidden / config.heads));
  EMEND_ASSIGN_OR_RETURN(config.context, json.Integer("max_position_embeddings", {}));
  EMEND_ASSIGN_OR_RETURN(config.norm_epsilon, json.PositiveNumber("rms_norm_eps", 1e-6));
  EMEND_ASSIGN_OR_RETURN(config.activation, json.ActivationNamed("hidden_act", "silu"));
  EMEND_ASSIGN_OR_RETURN(config.tied_head, json.Flag("tie_word_embeddings", false));
  EMEND_ASSIGN_OR_RETURN(config.attention_bias, json.Flag("attention_bias", false));
  EMEND_ASSIGN_OR_RETURN(config.mlp_bias, json.Flag("mlp_bias", false));
  EMEND_RETURN_IF_ERROR(ReadRotary(json, config));
  // Of a training, of a sliding window that this family does not have, and a number of parts that
  // all give the same sums.
  json.Harmless({"max_sequence_length", "max_window_layers", "pretraining_tp"});
  EMEND_RETURN_IF_ERROR(json.Neutral({{"alibi", "false"},
                                      {"attn_logit_softcapping", "null"},
                                      {"bias", "false"},
                                      {"clip_qkv", "null"},
                                      {"embedding_multiplier", "1"},
                                      {"final_logit_softcapping", "null"},
                                      {"is_llama_config", "true"},
                                      {"logits_scaling", "1"},
                                      {"partial_rotary_factor", "1"},
                                      {"qk_layernorm", "false"},
                                      {"qkv_bias", "false"},
                                      {"residual_multiplier", "1"},
                                      {"rope_interleaved", "false"},
                                      {"rotary_pct", "1"},
                                      {"sliding_window", "null"},
                                      {"use_parallel_residual", "false"},
                                      {"use_qk_norm", "false"},
                                      {"use_sliding_window", "false"}}));
  return CheckHeads(json, config);
}

ModelLayout LayOutLlama(const ModelConfig& config,
                        const std::function<bool(const std::string&)>& has) {
  const std::string prefix = has("embed_tokens.weight") ? "" : "model.";
  const std::vector<std::int64_t> embedding = {config.vocabulary, config.hidden};
  ModelLayout layout{
      .token_embedding = {prefix + "embed_tokens.weight", embedding, Share::kVocabulary},
      .blocks = {},
      .final_norm = {.weight = {prefix + "norm.weight", {config.hidden}}},
      .head = {"lm_head.weight", embedding, Share::kVocabulary},
      // Rotary frequencies that older files carry.
      .buffers = {".rotary_emb.inv_freq"}};
  for (std::int64_t layer = 0; layer < config.layers; ++layer)
    layout.blocks.push_back(LlamaBlock(config, prefix + "layers." + std::to_string(layer) + "."));
  return layout;
}

}  // namespace

constexpr Family kLlama = {"llama", ReadLlamaConfig, LayOutLlama};

}  // namespace emend::worker::families
