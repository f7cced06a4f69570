// Importing a model: its files copied into the store under its base id, hashed and described.
//
// Blocks; runs on the pool. The folder <models>/<base id> appears whole or not at all, and importing the same files again finds it and copies nothing.
#pragma once

#include <memory>
#include <string>

#include "coordinator/core/store_layout.h"
#include "storage/checkpoint/safetensors.h"
#include "storage/objects/edit.h"

namespace emend::coordinator::core {

struct ImportedModel {
  BaseId id;
  storage::objects::Base base;
  std::string folder;  // in the store
};

// `source`: a folder in Hugging Face layout with config.json, tokenizer.json and safetensors. kInvalidArgument (malformed, by name of the fault), kNotFound,
// kFailedPrecondition ("non_finite_weight") if an editable tensor holds NaN or infinity, kResourceExhausted (disk).
Result<ImportedModel> ImportModel(const std::string& source, const StoreLayout& layout);

// The checkpoint of an imported base. kDataLoss if a file is missing or has another size than when it was imported.
Result<std::shared_ptr<const storage::checkpoint::Checkpoint>> OpenBase(const StoreLayout& layout, const BaseId& id);

}  // namespace emend::coordinator::core
