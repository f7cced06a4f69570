// Whether a worker could load the model in a folder, told without one, in the worker's own words.
//
//   EMEND_ASSIGN_OR_RETURN(const LoadableModel model, OpenLoadableModel("/models/atlas"));
//   for (const std::string& warning : model.warnings) ...
//
// Asked before a model is brought in: config, names and shapes of the tensors, and tokenizer are
// read by what the worker reads them with. Part of the same library as memory_estimate.h, for the
// command line. Blocks on the disk; reads no weights.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "storage/base/status.h"
#include "storage/checkpoint/safetensors.h"
#include "worker/families/model_layout.h"

namespace emend::coordinator::core {

struct LoadableModel {
  std::unique_ptr<storage::checkpoint::Checkpoint> checkpoint;
  worker::families::ModelPlan plan;
  std::vector<std::string> warnings;  // sentences: what a worker loads and somebody should know
};

// kNotFound names the file that is missing; else as Checkpoint::Open, families::PlanModel and
// Tokenizer::Open.
Result<LoadableModel> OpenLoadableModel(const std::string& folder);

}  // namespace emend::coordinator::core
