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
#include <functional>
#include <string>
#include <string_view>

#include "storage/base/status.h"
#include "storage/checkpoint/safetensors.h"
#include "worker/families/model_layout.h"

namespace emend::worker::families {

class ConfigJson;  // config_json.h

struct Family {
  std::string_view model_type;  // as config.json names it
  // Reads the keys that this family has beside those of every family (families.cc), and declares
  // the rest of what its files carry.
  Status (*read_config)(ConfigJson& json, ModelConfig& config);
  // `has` says whether the file has a tensor of this name: some files leave the names' prefix out.
  ModelLayout (*lay_out)(const ModelConfig& config,
                         const std::function<bool(const std::string&)>& has);
};

// The table: each family is a file of its own.
extern const Family kGpt2, kLlama;
inline constexpr std::array kFamilies = {&kGpt2, &kLlama};

// Reads config.json beside the checkpoint, generation_config.json where there is one (its ends of
// texts count, not the config's), and the headers of the tensors; no weights. Every key and every
// tensor is accounted for. kNotFound; kUnsupported ("unknown_family" names the known ones,
// "unsupported_config", "unsupported_dtype"); kInvalidArgument ("bad_config", "missing_tensor",
// "misshapen_tensor", "surplus_tensor").
Result<ModelPlan> PlanModel(const storage::checkpoint::Checkpoint& checkpoint);

}  // namespace emend::worker::families
