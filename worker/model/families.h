// The model families this build knows. A new one is a file beside gpt2.cc and a line in
// families.cc.
#pragma once

#include <memory>
#include <string_view>

#include "storage/base/status.h"
#include "storage/checkpoint/safetensors.h"
#include "worker/collective/communicator.h"
#include "worker/model/config_json.h"
#include "worker/model/transformer.h"

namespace emend::worker::model {

// Which part of a model, and where it lies.
struct Placement {
  collective::Communicator& communicator;
  at::Device device;
};

struct Family {
  std::string_view model_type;  // as config.json names it
  // Reads and closes the config (RefuseUnread), then takes and closes the weights (RefuseUntaken).
  // May throw libtorch's exceptions.
  Result<std::unique_ptr<Transformer>> (*load)(ConfigJson& json,
                                               const storage::checkpoint::Checkpoint& checkpoint,
                                               const Placement& placement);
};

Result<std::unique_ptr<Transformer>> LoadGpt2(ConfigJson& json,
                                              const storage::checkpoint::Checkpoint& checkpoint,
                                              const Placement& placement);
Result<std::unique_ptr<Transformer>> LoadLlama(ConfigJson& json,
                                               const storage::checkpoint::Checkpoint& checkpoint,
                                               const Placement& placement);

// kUnsupported (slug "unknown_family") naming the known ones.
Result<Family> FindFamily(std::string_view model_type);

}  // namespace emend::worker::model
