// SmolLM3: Llama, with every fourth layer blind to positions.
#include "worker/families/parts.h"
#include "worker/families/rotary.h"

namespace emend::worker::families {
namespace {

// 1 where heads are turned.
Result<std::vector<double>> ReadTurned(ConfigJson& json, const ModelConfig& config) {
  EMEND_ASSIGN_OR_RETURN(const std::int64_t interval, json.Integer("no_rope_layer_interval", 4));
  EMEND_ASSIGN_OR_RETURN(std::vector<double> turned, json.Numbers("no_rope_layers"));
  for (std::int64_t layer = 0; turned.empty() && layer < config.layers; ++layer)
    turned.push_back((layer + 1) % interval != 0 ? 1 : 0);
  if (std::cmp_equal(turned.size(), config.layers)) return turned;
  return json.Bad("expected \"no_rope_layers\" to have an element for each of the " +
                  std::to_string(config.layers) + " layers, found " +
                  std::to_string(turned.size()));
}

Status PlanSmolLm3(ConfigJson& json, const TensorNames& names, ModelPlan& model) {
  const ModelConfig& config = model.config;
  EMEND_RETURN_IF_ERROR(ReadLlamaSizes(json, {.is_head_tied = true}, model.config));
  EMEND_ASSIGN_OR_RETURN(const RotaryPlan rotary, ReadRotary(json, model.config, {.theta = 2e6}));
  EMEND_ASSIGN_OR_RETURN(const std::vector<double> turned, ReadTurned(json, config));
  EMEND_ASSIGN_OR_RETURN(const LlamaBiases biases, ReadLlamaBiases(json));
  LayOutLlama(names, model, [&](std::int64_t layer, const std::string& name) {
    BlockPlan block = LlamaBlock(config, name, biases);
    if (turned[static_cast<std::size_t>(layer)] != 0) block.rotary = rotary;
    return block;
  });
  return OkStatus();
}

}  // namespace

constexpr Family kSmolLm3 = {"smollm3", PlanSmolLm3};

}  // namespace emend::worker::families
