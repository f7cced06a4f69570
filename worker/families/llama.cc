// Llama: RMSNorm before each half, rotary positions over half-split heads, grouped keys and values,
// gated feed-forward part, projections stored [out, in].
#include "worker/families/parts.h"
#include "worker/families/rotary.h"

namespace emend::worker::families {
namespace {

Status PlanLlama(ConfigJson& json, const TensorNames& names, ModelPlan& model) {
  EMEND_RETURN_IF_ERROR(ReadLlamaSizes(json, {}, model.config));
  EMEND_ASSIGN_OR_RETURN(const RotaryPlan rotary, ReadRotary(json, model.config));
  EMEND_ASSIGN_OR_RETURN(const LlamaBiases biases, ReadLlamaBiases(json));
  LayOutLlama(names, model, [&](std::int64_t, const std::string& name) {
    BlockPlan block = LlamaBlock(model.config, name, biases);
    block.rotary = rotary;
    return block;
  });
  return OkStatus();
}

}  // namespace

constexpr Family kLlama = {"llama", PlanLlama};

}  // namespace emend::worker::families
