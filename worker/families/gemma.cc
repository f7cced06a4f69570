// Gemma 2 and 3 (texts): norms before and after each half, stored less one; a scaled embedding, a
// tied head; windows in most layers. Gemma 2 caps scores and logits; Gemma 3 has norms of queries
// and keys, and another rotation where the window is.
#include <cmath>

#include "worker/families/parts.h"
#include "worker/families/rotary.h"

namespace emend::worker::families {
namespace {

constexpr char kLocal[] = "sliding_attention", kGlobal[] = "full_attention";

// What a layer with a window and one without have of their own.
struct GemmaLayers {
  std::vector<std::int64_t> windows;
  RotaryPlan local;
  RotaryPlan global;
};

Status ReadGemmaSizes(ConfigJson& json, ModelConfig& config) {
  EMEND_RETURN_IF_ERROR(ReadLlamaSizes(json,
                                       {.activation_key = "hidden_activation",
                                        .activation = "gelu_pytorch_tanh",
                                        .head_dim = 256,
                                        .is_head_tied = true},
                                       config));
  // An older name, which the newer one overrules.
  json.Harmless({"hidden_act"});
  config.embedding_scale = std::sqrt(static_cast<double>(config.hidden));
  return json.Neutral({{"use_bidirectional_attention", "false"}});
}

// Where a key says null there is no cap.
Result<double> ReadCap(ConfigJson& json, const std::string& key, double fallback) {
  if (json.IsNull(key)) return 0.0;
  return json.PositiveNumber(key, fallback);
}

void LessOne(std::optional<NormPlan>& norm) {
  if (norm) norm->is_stored_less_one = true;
}

BlockPlan GemmaBlock(const ModelConfig& config, const std::string& name, Bias bias) {
  const std::int64_t d = config.hidden;
  BlockPlan block = LlamaBlock(config, name, {.query_key_value = bias, .attention_out = bias});
  block.attention_post_norm = RootMeanSquareNorm(name + "post_attention_layernorm", d);
  block.mlp_norm = RootMeanSquareNorm(name + "pre_feedforward_layernorm", d);
  block.mlp_post_norm = RootMeanSquareNorm(name + "post_feedforward_layernorm", d);
  return block;
}

Status LayOutGemma(ConfigJson& json, const TensorNames& names, ModelPlan& model,
                   const GemmaLayers& layers, double default_cap, bool has_head_norms) {
  EMEND_ASSIGN_OR_RETURN(const double divisor, json.PositiveNumber("query_pre_attn_scalar", 256));
  EMEND_ASSIGN_OR_RETURN(const double softcap,
                         ReadCap(json, "attn_logit_softcapping", default_cap));
  EMEND_ASSIGN_OR_RETURN(const bool attention_bias, json.Flag("attention_bias", false));
  LayOutLlama(names, model, [&](std::int64_t layer, const std::string& name) {
    const std::int64_t window = layers.windows[static_cast<std::size_t>(layer)];
    BlockPlan block = GemmaBlock(model.config, name, BiasIf(attention_bias));
    if (has_head_norms) AddHeadNorms(model.config, name, block);
    block.rotary = window > 0 ? layers.local : layers.global;
    block.attention = {.scale = 1 / std::sqrt(divisor), .softcap = softcap, .window = window};
    for (std::optional<NormPlan>* norm :
         {&block.attention_norm, &block.query_norm, &block.key_norm, &block.attention_post_norm,
          &block.mlp_norm, &block.mlp_post_norm})
      LessOne(*norm);
    return block;
  });
  model.layout.final_norm.is_stored_less_one = true;
  return OkStatus();
}

Status PlanGemma2(ConfigJson& json, const TensorNames& names, ModelPlan& model) {
  EMEND_RETURN_IF_ERROR(ReadGemmaSizes(json, model.config));
  EMEND_ASSIGN_OR_RETURN(const std::int64_t window, json.Integer("sliding_window", 4096));
  GemmaLayers layers;
  EMEND_ASSIGN_OR_RETURN(
      layers.windows,
      ReadWindows(json, model.config, window, [](std::int64_t layer) { return layer % 2 == 0; }));
  EMEND_ASSIGN_OR_RETURN(layers.global, ReadRotary(json, model.config));
  layers.local = layers.global;
  EMEND_ASSIGN_OR_RETURN(model.config.logit_softcap, ReadCap(json, "final_logit_softcapping", 30));
  json.Harmless({"cache_implementation"});
  return LayOutGemma(json, names, model, layers, /*default_cap=*/50, /*has_head_norms=*/false);
}

// Newer files keep both rotations in `rope_parameters`, by kind of layer.
Status ReadGemma3Rotaries(ConfigJson& json, ModelConfig& config, GemmaLayers& layers) {
  EMEND_ASSIGN_OR_RETURN(const double local, json.PositiveNumber("rope_local_base_freq", 10000));
  EMEND_ASSIGN_OR_RETURN(const double global, json.PositiveNumber("rope_theta", 1e6));
  EMEND_ASSIGN_OR_RETURN(std::optional<ConfigJson> both, json.Object("rope_parameters"));
  EMEND_ASSIGN_OR_RETURN(std::optional<ConfigJson> of_global, json.Object("rope_scaling"));
  std::optional<ConfigJson> of_local;
  if (both) {
    EMEND_ASSIGN_OR_RETURN(of_local, both->Object(kLocal));
    EMEND_ASSIGN_OR_RETURN(of_global, both->Object(kGlobal));
    EMEND_RETURN_IF_ERROR(both->RefuseUnread());
  }
  EMEND_ASSIGN_OR_RETURN(layers.local,
                         ReadRotaryObject(std::move(of_local), {.theta = local}, config));
  EMEND_ASSIGN_OR_RETURN(layers.global,
                         ReadRotaryObject(std::move(of_global), {.theta = global}, config));
  return OkStatus();
}

Status PlanGemma3(ConfigJson& json, const TensorNames& names, ModelPlan& model) {
  EMEND_RETURN_IF_ERROR(ReadGemmaSizes(json, model.config));
  EMEND_ASSIGN_OR_RETURN(const std::int64_t window, json.Integer("sliding_window", 4096));
  EMEND_ASSIGN_OR_RETURN(const std::int64_t older, json.Integer("_sliding_window_pattern", 6));
  EMEND_ASSIGN_OR_RETURN(const std::int64_t pattern, json.Integer("sliding_window_pattern", older));
  GemmaLayers layers;
  EMEND_ASSIGN_OR_RETURN(
      layers.windows, ReadWindows(json, model.config, window,
                                  [&](std::int64_t layer) { return (layer + 1) % pattern != 0; }));
  EMEND_RETURN_IF_ERROR(ReadGemma3Rotaries(json, model.config, layers));
  EMEND_ASSIGN_OR_RETURN(model.config.logit_softcap, ReadCap(json, "final_logit_softcapping", 0));
  json.Harmless({"cache_implementation"});
  return LayOutGemma(json, names, model, layers, /*default_cap=*/0, /*has_head_norms=*/true);
}

}  // namespace

constexpr Family kGemma2 = {"gemma2", PlanGemma2};
constexpr Family kGemma3 = {"gemma3_text", PlanGemma3};

}  // namespace emend::worker::families
