#include "worker/families/parts.h"

#include <algorithm>

namespace emend::worker::families {
namespace {

Status CheckHeads(const ConfigJson& json, const ModelConfig& config) {
  if (config.heads % config.kv_heads == 0 && config.head_dim % 2 == 0 && config.head_dim > 0)
    return OkStatus();
  return json.Bad(
      "expected num_attention_heads to be a multiple of num_key_value_heads, and an even head_dim; "
      "found " +
      std::to_string(config.heads) + ", " + std::to_string(config.kv_heads) + " and " +
      std::to_string(config.head_dim));
}

}  // namespace

NormPlan RootMeanSquareNorm(const std::string& name, std::int64_t width) {
  return {.weight = {name + ".weight", {width}}};
}

NormPlan LayerNorm(const std::string& name, std::int64_t width) {
  return {.weight = {name + ".weight", {width}}, .bias = TensorPlan{name + ".bias", {width}}};
}

void AddOutputs(ProjectionPlan& projection, const std::string& name, std::int64_t in,
                std::int64_t out, Share share, Bias bias) {
  projection.weights.push_back({name + ".weight", {out, in}, share, 0});
  if (bias == Bias::kThere) projection.biases.push_back({name + ".bias", {out}, share, 0});
}

ProjectionPlan ProjectionOut(const std::string& name, std::int64_t in, std::int64_t out,
                             Share share, Bias bias) {
  ProjectionPlan projection{.weights = {{name + ".weight", {out, in}, share, 1}}};
  if (bias == Bias::kThere) projection.biases = {{name + ".bias", {out}}};
  return projection;
}

std::vector<BlockPlan> LayOutBlocks(const ModelConfig& config, const TensorNames& names,
                                    const std::function<BlockPlan(std::int64_t layer)>& block) {
  const std::int64_t count = std::min(config.layers, static_cast<std::int64_t>(names.size()) + 1);
  std::vector<BlockPlan> blocks;
  for (std::int64_t layer = 0; layer < count; ++layer) blocks.push_back(block(layer));
  return blocks;
}

Result<std::vector<std::int64_t>> ReadWindows(
    ConfigJson& json, const ModelConfig& config, std::int64_t window,
    const std::function<bool(std::int64_t layer)>& is_windowed) {
  EMEND_ASSIGN_OR_RETURN(const std::vector<std::string> types, json.Texts("layer_types"));
  if (!types.empty() && std::cmp_not_equal(types.size(), config.layers))
    return json.Bad("expected \"layer_types\" to have an element for each of the " +
                    std::to_string(config.layers) + " layers, found " +
                    std::to_string(types.size()));
  for (const std::string& type : types) {
    if (type != "full_attention" && type != "sliding_attention")
      return json.Unsupported("layer_types", "\"full_attention\" and \"sliding_attention\"");
    if (type == "sliding_attention" && window == 0)
      return json.Bad(
          "\"layer_types\" asks for sliding attention, and \"sliding_window\" for none");
  }
  std::vector<std::int64_t> windows;
  for (std::size_t layer = 0; std::cmp_less(layer, config.layers); ++layer) {
    const bool is_sliding = types.empty() ? is_windowed(static_cast<std::int64_t>(layer))
                                          : types[layer] == "sliding_attention";
    windows.push_back(is_sliding ? window : 0);
  }
  return windows;
}

Result<std::int64_t> ReadWindow(ConfigJson& json, std::int64_t if_absent) {
  if (json.IsNull("sliding_window")) return std::int64_t{0};
  return json.Integer("sliding_window", if_absent);
}

Status DivideHeads(const ConfigJson& json, const std::string& hidden_key,
                   const std::string& heads_key, ModelConfig& config) {
  if (config.hidden % config.heads != 0)
    return json.Bad("expected " + hidden_key + " to be a multiple of " + heads_key + ", found " +
                    std::to_string(config.hidden) + " and " + std::to_string(config.heads));
  config.kv_heads = config.heads;
  config.head_dim = config.hidden / config.heads;
  return OkStatus();
}

Status ReadGptSizes(ConfigJson& json, ModelConfig& config) {
  config.norm = NormKind::kLayer;
  EMEND_ASSIGN_OR_RETURN(config.layers, json.Integer("n_layer", {}));
  EMEND_ASSIGN_OR_RETURN(config.hidden, json.Integer("n_embd", {}));
  EMEND_ASSIGN_OR_RETURN(config.intermediate, json.Integer("n_inner", 4 * config.hidden));
  EMEND_ASSIGN_OR_RETURN(config.heads, json.Integer("n_head", {}));
  EMEND_ASSIGN_OR_RETURN(config.context, json.Integer("n_positions", {}));
  EMEND_ASSIGN_OR_RETURN(config.norm_epsilon, json.PositiveNumber("layer_norm_epsilon", 1e-5));
  EMEND_ASSIGN_OR_RETURN(config.activation,
                         json.ActivationNamed("activation_function", "gelu_new"));
  json.Harmless({"summary_activation", "summary_first_dropout", "summary_proj_to_labels",
                 "summary_type", "summary_use_proj"});
  EMEND_RETURN_IF_ERROR(json.Neutral({{"scale_attn_weights", "true"}}));
  return DivideHeads(json, "n_embd", "n_head", config);
}

Result<LlamaBiases> ReadLlamaBiases(ConfigJson& json) {
  EMEND_ASSIGN_OR_RETURN(const bool attention, json.Flag("attention_bias", false));
  EMEND_ASSIGN_OR_RETURN(const bool mlp, json.Flag("mlp_bias", false));
  return LlamaBiases{
      .query_key_value = BiasIf(attention), .attention_out = BiasIf(attention), .mlp = BiasIf(mlp)};
}

Status ReadLlamaSizes(ConfigJson& json, const LlamaDefaults& defaults, ModelConfig& config) {
  config.norm = NormKind::kRootMeanSquare;
  config.gated = true;
  EMEND_ASSIGN_OR_RETURN(config.layers, json.Integer("num_hidden_layers", {}));
  EMEND_ASSIGN_OR_RETURN(config.hidden, json.Integer("hidden_size", {}));
  EMEND_ASSIGN_OR_RETURN(config.intermediate, json.Integer("intermediate_size", {}));
  EMEND_ASSIGN_OR_RETURN(config.heads, json.Integer("num_attention_heads", {}));
  EMEND_ASSIGN_OR_RETURN(config.kv_heads, json.Integer("num_key_value_heads", config.heads));
  EMEND_ASSIGN_OR_RETURN(
      config.head_dim,
      json.Integer("head_dim",
                   defaults.head_dim > 0 ? defaults.head_dim : config.hidden / config.heads));
  EMEND_ASSIGN_OR_RETURN(config.context, json.Integer("max_position_embeddings", {}));
  EMEND_ASSIGN_OR_RETURN(config.norm_epsilon,
                         json.PositiveNumber("rms_norm_eps", defaults.norm_epsilon));
  EMEND_ASSIGN_OR_RETURN(config.activation,
                         json.ActivationNamed(defaults.activation_key, defaults.activation));
  EMEND_ASSIGN_OR_RETURN(config.tied_head, json.Flag("tie_word_embeddings", defaults.is_head_tied));
  return CheckHeads(json, config);
}

BlockPlan LlamaBlock(const ModelConfig& config, const std::string& name,
                     const LlamaBiases& biases) {
  const std::int64_t d = config.hidden, d_ff = config.intermediate;
  const std::int64_t q = config.heads * config.head_dim, kv = config.kv_heads * config.head_dim;
  const std::string attention = name + "self_attn.", mlp = name + "mlp.";
  BlockPlan block{
      .attention_norm = RootMeanSquareNorm(name + "input_layernorm", d),
      .query_key_value = {},
      .attention_out =
          ProjectionOut(attention + "o_proj", q, d, Share::kHeads, biases.attention_out),
      .mlp_norm = RootMeanSquareNorm(name + "post_attention_layernorm", d),
      .up = {},
      .down = ProjectionOut(mlp + "down_proj", d_ff, d, Share::kIntermediate, biases.mlp)};
  ProjectionPlan& qkv = block.query_key_value;
  AddOutputs(qkv, attention + "q_proj", d, q, Share::kHeads, biases.query_key_value);
  AddOutputs(qkv, attention + "k_proj", d, kv, Share::kKvHeads, biases.query_key_value);
  AddOutputs(qkv, attention + "v_proj", d, kv, Share::kKvHeads, biases.query_key_value);
  AddOutputs(block.up, mlp + "gate_proj", d, d_ff, Share::kIntermediate, biases.mlp);
  AddOutputs(block.up, mlp + "up_proj", d, d_ff, Share::kIntermediate, biases.mlp);
  return block;
}

void AddHeadNorms(const ModelConfig& config, const std::string& name, BlockPlan& block) {
  block.query_norm = RootMeanSquareNorm(name + "self_attn.q_norm", config.head_dim);
  block.key_norm = RootMeanSquareNorm(name + "self_attn.k_norm", config.head_dim);
}

void AddAllHeadsNorms(const ModelConfig& config, const std::string& name, BlockPlan& block) {
  const std::string attention = name + "self_attn.";
  block.query_norm = RootMeanSquareNorm(attention + "q_norm", config.heads * config.head_dim);
  block.query_norm->weight.share = Share::kHeads;
  block.key_norm = RootMeanSquareNorm(attention + "k_norm", config.kv_heads * config.head_dim);
  block.key_norm->weight.share = Share::kKvHeads;
}

Result<ExpertsPlan> ReadExperts(ConfigJson& json, std::int64_t width) {
  ExpertsPlan experts{.width = width};
  // Two names of one number.
  EMEND_ASSIGN_OR_RETURN(const std::int64_t local, json.Integer("num_local_experts", 0));
  EMEND_ASSIGN_OR_RETURN(
      experts.count, json.Integer("num_experts", local > 0 ? std::optional(local) : std::nullopt));
  EMEND_ASSIGN_OR_RETURN(experts.active, json.Integer("num_experts_per_tok", 8));
  EMEND_ASSIGN_OR_RETURN(experts.is_normed, json.Flag("norm_topk_prob", false));
  json.Harmless({"output_router_logits", "router_aux_loss_coef"});  // of training
  if (experts.active <= experts.count && (local == 0 || local == experts.count)) return experts;
  return json.Bad(
      "expected num_experts, or num_local_experts, of at least num_experts_per_tok; found " +
      std::to_string(experts.count) + ", " + std::to_string(local) + " and " +
      std::to_string(experts.active));
}

void AddExperts(const ModelConfig& config, const std::string& name, const TensorNames& names,
                ExpertsPlan experts, BlockPlan& block) {
  const std::int64_t d = config.hidden, width = experts.width;
  const auto tensors = static_cast<std::int64_t>(names.size());
  const std::int64_t possible = tensors / std::min(config.layers, tensors + 1) + 1;
  AddOutputs(experts.router, name + "mlp.gate", d, experts.count, Share::kWhole, Bias::kNone);
  block.up = block.down = {};
  for (std::int64_t i = 0; i < std::min(experts.count, possible); ++i) {
    const std::string expert = name + "mlp.experts." + std::to_string(i) + ".";
    AddOutputs(block.up, expert + "gate_proj", d, width, Share::kIntermediate, Bias::kNone);
    AddOutputs(block.up, expert + "up_proj", d, width, Share::kIntermediate, Bias::kNone);
    block.down.weights.push_back(
        ProjectionOut(expert + "down_proj", width, d, Share::kIntermediate, Bias::kNone)
            .weights[0]);
  }
  block.experts = std::move(experts);
}

void LayOutLlama(
    const TensorNames& names, ModelPlan& model,
    const std::function<BlockPlan(std::int64_t layer, const std::string& name)>& block) {
  const ModelConfig& config = model.config;
  const std::string prefix = names.contains("embed_tokens.weight") ? "" : "model.";
  const std::vector<std::int64_t> embedding = {config.vocabulary, config.hidden};
  model.layout = {
      .token_embedding = {prefix + "embed_tokens.weight", embedding, Share::kVocabulary},
      .blocks = LayOutBlocks(config, names,
                             [&](std::int64_t layer) {
                               return block(layer,
                                            prefix + "layers." + std::to_string(layer) + ".");
                             }),
      .final_norm = RootMeanSquareNorm(prefix + "norm", config.hidden),
      .head = {"lm_head.weight", embedding, Share::kVocabulary},
      // Rotary frequencies that older files carry.
      .buffers = {".rotary_emb.inv_freq"}};
  std::int64_t widest = 0;
  for (const BlockPlan& made : model.layout.blocks)
    widest = std::max(
        widest, made.experts ? made.experts->active * made.experts->width : config.intermediate);
  model.config.intermediate = widest;
}

}  // namespace emend::worker::families
