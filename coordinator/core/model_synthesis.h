// A model of a config's shape whose weights say nothing: speed and memory can be measured by it
// before there are others.
//
//   EMEND_ASSIGN_OR_RETURN(const SynthesisedModel model, SynthesiseModel(files, {
//       .config = "llama/config.json", .tokenizer = "llama", .seed = 1, .folder = "/tmp/llama"}));
//
// Matrices are drawn from normal(0, initializer_range) (random_weights.h), 0.02 where the config
// has none; norms scale by one; biases are 0. The type is the config's `dtype` or `torch_dtype`,
// BF16 without one. The same config and seed give the same bytes on every machine. Tensors are made
// as they are written: memory stays flat. Part of the same library as loadable_model.h. Blocks.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "storage/base/file_system.h"
#include "storage/base/status.h"
#include "storage/delta/dtype.h"

namespace emend::coordinator::core {

struct SynthesisRequest {
  std::string config;     // the path of a config.json
  std::string tokenizer;  // a model's folder whose tokenizer is copied; "": the model has none
  std::uint64_t seed = 0;
  std::string folder;  // absolute; new or empty
  std::uint64_t file_bytes_max = 5'000'000'000;
};

struct SynthesisedModel {
  std::string family;
  storage::delta::DType dtype = storage::delta::DType::kBF16;
  std::uint64_t parameters = 0;
  std::uint64_t weights_bytes = 0;
  std::vector<std::string> files;  // sorted
};

// The folder appears whole or not at all; what a run that was killed left beside it is removed by
// the next one for the same folder. Errors as PlanConfig and Tokenizer::OpenFolder; kAlreadyExists
// ("folder_not_empty"); kInvalidArgument ("tokenizer_too_large"); kUnsupported
// ("unsupported_config") for another type; kResourceExhausted (disk).
Result<SynthesisedModel> SynthesiseModel(FileSystem& files, const SynthesisRequest& request);

}  // namespace emend::coordinator::core
