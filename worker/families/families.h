// The model families this build knows, and what a folder holds by them.
//
//   EMEND_ASSIGN_OR_RETURN(const auto checkpoint, Checkpoint::Open("/models/atlas"));
//   EMEND_ASSIGN_OR_RETURN(const ModelPlan model, PlanModel(*checkpoint));
//   model.config.hidden; model.layout.blocks[3].down.weights[0].name;
//
// A new family is a file beside gpt2.cc and an entry of the table below. Thread-safe; blocks on the
// disk.
#pragma once

#include <array>
#include <map>
#include <string>
#include <string_view>

#include "storage/base/status.h"
#include "storage/checkpoint/safetensors.h"
#include "worker/families/model_layout.h"

namespace emend::worker::families {

class ConfigJson;  // config_json.h

// What a family may ask of the file, or of one that is to be made. Some files leave the names'
// prefix out.
class TensorNames {
 public:
  explicit TensorNames(const storage::checkpoint::Checkpoint& checkpoint)
      : tensors_(&checkpoint.tensors()), size_(tensors_->size()) {}
  // Of a file with every prefix, and room for so many tensors.
  explicit TensorNames(std::size_t size) : size_(size) {}

  bool contains(const std::string& name) const {
    return tensors_ != nullptr && tensors_->contains(name);
  }
  std::size_t size() const { return size_; }

 private:
  const std::map<std::string, storage::checkpoint::TensorView>* tensors_ = nullptr;
  std::size_t size_ = 0;
};

struct Family {
  std::string_view model_type;  // as config.json names it
  // Reads the keys that this family has beside those of every family (families.cc), declares the
  // rest of what its files carry, and lays out the tensors (parts.h).
  Status (*plan)(ConfigJson& json, const TensorNames& names, ModelPlan& model);
};

// The table: each family is a file of its own.
extern const Family kGemma2, kGemma3, kGpt2, kGptJ, kGptNeoX, kLlama, kMistral, kOlmo2, kOlmoe,
    kPhi3, kQwen2, kQwen3, kQwen3Moe, kSmolLm3;
inline constexpr std::array kFamilies = {&kGemma2, &kGemma3,  &kGpt2,     &kGptJ,   &kGptNeoX,
                                         &kLlama,  &kMistral, &kOlmo2,    &kOlmoe,  &kPhi3,
                                         &kQwen2,  &kQwen3,   &kQwen3Moe, &kSmolLm3};

// Reads config.json beside the checkpoint, generation_config.json where there is one (its ends of
// texts count, not the config's), and the headers of the tensors; no weights. Every key and every
// tensor is accounted for. kNotFound; kUnsupported ("unknown_family" names the known ones,
// "unsupported_config", "unsupported_dtype"); kInvalidArgument ("bad_config", "missing_tensor",
// "misshapen_tensor", "surplus_tensor").
Result<ModelPlan> PlanModel(const storage::checkpoint::Checkpoint& checkpoint);

// What a file would hold whose config.json is this text; `name` is what messages call it. Errors of
// the config as PlanModel; kResourceExhausted ("too_many_tensors").
Result<ModelPlan> PlanConfig(std::string_view config_json, const std::string& name);

}  // namespace emend::worker::families
