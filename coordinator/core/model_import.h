// Importing a model: its files copied into the store under its base id, hashed and described.
//
// Blocks; runs on the pool. The folder <models>/<base id> appears whole or not at all. Importing
// the same files again copies nothing, or replaces a copy that was damaged since. The file
// <models>/<base id>.tiles (storage/checkpoint/tile_file.h) is written each time.
#pragma once

#include <string>
#include <vector>

#include "coordinator/core/store_layout.h"
#include "storage/base/file_system.h"
#include "storage/checkpoint/model_files.h"
#include "storage/objects/edit.h"

namespace emend::coordinator::core {

struct ImportedModel {
  BaseId id;
  storage::objects::Base base;
  std::string folder;                 // in the store
  std::vector<std::string> warnings;  // loadable_model.h
  storage::checkpoint::LeftOut left_out;
};

// `source`: a folder in Hugging Face layout with config.json, safetensors and tokenizer.json or
// tokenizer.model, or a GGUF file, which is converted first (gguf_import.h). What no worker can
// load is refused before weights are written: errors as OpenLoadableModel and ConvertGguf, and
// kFailedPrecondition
// ("non_finite_weight") if an editable tensor holds NaN or infinity, kResourceExhausted (disk).
// Every file of the folder is admitted as the folder is: one that is a link to a place outside the
// model roots is refused ("outside_model_roots", "inside_store"), one whose target is not there by
// its name ("dangling_link"). `owner` names this import for good (storage/base/work_folder.h).
Result<ImportedModel> ImportModel(FileSystem& files, const std::string& source,
                                  const StoreLayout& layout, const std::string& owner);

}  // namespace emend::coordinator::core
