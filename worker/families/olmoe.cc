// OLMoE: Llama with norms of all queries and of all keys, and experts in the place of each
// feed-forward part.
#include "worker/families/parts.h"
#include "worker/families/rotary.h"

namespace emend::worker::families {
namespace {

Status PlanOlmoe(ConfigJson& json, const TensorNames& names, ModelPlan& model) {
  EMEND_RETURN_IF_ERROR(ReadLlamaSizes(json, {.norm_epsilon = 1e-5}, model.config));
  EMEND_ASSIGN_OR_RETURN(const RotaryPlan rotary, ReadRotary(json, model.config));
  EMEND_ASSIGN_OR_RETURN(const bool has_bias, json.Flag("attention_bias", false));
  EMEND_ASSIGN_OR_RETURN(const ExpertsPlan experts, ReadExperts(json, model.config.intermediate));
  const LlamaBiases biases = {.query_key_value = BiasIf(has_bias),
                              .attention_out = BiasIf(has_bias)};
  LayOutLlama(names, model, [&](std::int64_t, const std::string& name) {
    BlockPlan block = LlamaBlock(model.config, name, biases);
    AddAllHeadsNorms(model.config, name, block);
    block.rotary = rotary;
    AddExperts(model.config, name, names, experts, block);
    return block;
  });
  return OkStatus();
}

}  // namespace

constexpr Family kOlmoe = {"olmoe", PlanOlmoe};

}  // namespace emend::worker::families
