// Qwen 2 and 2.5: Llama with biases of queries, keys and values. Qwen 3: without them, with norms
// of queries and keys. Both may have windows from some layer on.
#include "worker/families/parts.h"
#include "worker/families/rotary.h"

namespace emend::worker::families {
namespace {

Result<std::vector<std::int64_t>> ReadQwenWindows(ConfigJson& json, const ModelConfig& config) {
  EMEND_ASSIGN_OR_RETURN(const bool has_windows, json.Flag("use_sliding_window", false));
  EMEND_ASSIGN_OR_RETURN(const std::int64_t window, json.Integer("sliding_window", 4096));
  // Some files name a layer below all, which is no size.
  json.Harmless({"max_window_layers"});
  std::int64_t first = config.layers;
  if (has_windows) {
    EMEND_ASSIGN_OR_RETURN(first, json.Integer("max_window_layers", 28));
  }
  return ReadWindows(json, config, has_windows ? window : 0,
                     [&](std::int64_t layer) { return layer >= first; });
}

Status PlanQwen(ConfigJson& json, const TensorNames& names, ModelPlan& model,
                const std::function<BlockPlan(const std::string& name)>& block_of) {
  EMEND_ASSIGN_OR_RETURN(const RotaryPlan rotary, ReadRotary(json, model.config));
  EMEND_ASSIGN_OR_RETURN(const std::vector<std::int64_t> windows,
                         ReadQwenWindows(json, model.config));
  LayOutLlama(names, model, [&](std::int64_t layer, const std::string& name) {
    BlockPlan block = block_of(name);
    block.rotary = rotary;
    block.attention.window = windows[static_cast<std::size_t>(layer)];
    return block;
  });
  return OkStatus();
}

Status PlanQwen2(ConfigJson& json, const TensorNames& names, ModelPlan& model) {
  EMEND_RETURN_IF_ERROR(ReadLlamaSizes(json, {}, model.config));
  return PlanQwen(json, names, model, [&](const std::string& name) {
    return LlamaBlock(model.config, name, {.query_key_value = Bias::kThere});
  });
}

Status PlanQwen3(ConfigJson& json, const TensorNames& names, ModelPlan& model) {
  EMEND_RETURN_IF_ERROR(ReadLlamaSizes(json, {.head_dim = 128}, model.config));
  EMEND_ASSIGN_OR_RETURN(const bool has_bias, json.Flag("attention_bias", false));
  const LlamaBiases biases = {.query_key_value = BiasIf(has_bias),
                              .attention_out = BiasIf(has_bias)};
  return PlanQwen(json, names, model, [&](const std::string& name) {
    BlockPlan block = LlamaBlock(model.config, name, biases);
    AddHeadNorms(model.config, name, block);
    return block;
  });
}

}  // namespace

constexpr Family kQwen2 = {"qwen2", PlanQwen2};
constexpr Family kQwen3 = {"qwen3", PlanQwen3};

}  // namespace emend::worker::families
