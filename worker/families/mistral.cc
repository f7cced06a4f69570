// Mistral: Llama whose queries may see a window of keys only.
#include "worker/families/parts.h"
#include "worker/families/rotary.h"

namespace emend::worker::families {
namespace {

constexpr std::int64_t kWindow = 4096;  // of a config that says nothing

Status PlanMistral(ConfigJson& json, const TensorNames& names, ModelPlan& model) {
  EMEND_RETURN_IF_ERROR(ReadLlamaSizes(json, {}, model.config));
  EMEND_ASSIGN_OR_RETURN(const RotaryPlan rotary, ReadRotary(json, model.config));
  EMEND_ASSIGN_OR_RETURN(const std::int64_t window, ReadWindow(json, kWindow));
  LayOutLlama(names, model, [&](std::int64_t, const std::string& name) {
    BlockPlan block = LlamaBlock(model.config, name, {});
    block.rotary = rotary;
    block.attention.window = window;
    return block;
  });
  return OkStatus();
}

}  // namespace

constexpr Family kMistral = {"mistral", PlanMistral};

}  // namespace emend::worker::families
