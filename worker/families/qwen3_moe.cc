// Qwen 3 with experts: Qwen 3's attention, and experts in the place of some or all of the
// feed-forward parts.
#include <algorithm>

#include "worker/families/parts.h"
#include "worker/families/rotary.h"

namespace emend::worker::families {
namespace {

// Where the feed-forward part is experts.
Result<std::vector<bool>> ReadSparseLayers(ConfigJson& json, const ModelConfig& config) {
  EMEND_ASSIGN_OR_RETURN(const std::int64_t step, json.Integer("decoder_sparse_step", 1));
  EMEND_ASSIGN_OR_RETURN(const std::vector<double> dense, json.Numbers("mlp_only_layers"));
  std::vector<bool> sparse;
  for (std::int64_t layer = 0; layer < config.layers; ++layer)
    sparse.push_back((layer + 1) % step == 0 &&
                     std::ranges::find(dense, static_cast<double>(layer)) == dense.end());
  return sparse;
}

// Of all layers, or of none.
Result<std::int64_t> ReadWindowOfAll(ConfigJson& json) {
  EMEND_ASSIGN_OR_RETURN(const bool has_windows, json.Flag("use_sliding_window", false));
  if (has_windows) return ReadWindow(json, 4096);
  json.Harmless({"sliding_window"});
  return std::int64_t{0};
}

Status PlanQwen3Moe(ConfigJson& json, const TensorNames& names, ModelPlan& model) {
  EMEND_RETURN_IF_ERROR(ReadLlamaSizes(json, {}, model.config));
  EMEND_ASSIGN_OR_RETURN(const RotaryPlan rotary, ReadRotary(json, model.config));
  EMEND_ASSIGN_OR_RETURN(const std::int64_t window, ReadWindowOfAll(json));
  EMEND_ASSIGN_OR_RETURN(const bool has_bias, json.Flag("attention_bias", false));
  EMEND_ASSIGN_OR_RETURN(const std::int64_t width, json.Integer("moe_intermediate_size", 768));
  EMEND_ASSIGN_OR_RETURN(const ExpertsPlan experts, ReadExperts(json, width));
  EMEND_ASSIGN_OR_RETURN(const std::vector<bool> sparse, ReadSparseLayers(json, model.config));
  const LlamaBiases biases = {.query_key_value = BiasIf(has_bias),
                              .attention_out = BiasIf(has_bias)};
  LayOutLlama(names, model, [&](std::int64_t layer, const std::string& name) {
    BlockPlan block = LlamaBlock(model.config, name, biases);
    AddHeadNorms(model.config, name, block);
    block.rotary = rotary;
    block.attention.window = window;
    if (sparse[static_cast<std::size_t>(layer)])
      AddExperts(model.config, name, names, experts, block);
    return block;
  });
  return OkStatus();
}

}  // namespace

constexpr Family kQwen3Moe = {"qwen3_moe", PlanQwen3Moe};

}  // namespace emend::worker::families
