// What Llama shares with families that are made like it: each reads these keys and its own, and
// changes the blocks where it differs.
#pragma once

#include "worker/families/families.h"

namespace emend::worker::families {

Status ReadLlamaConfig(ConfigJson& json, ModelConfig& config);
ModelLayout LayOutLlama(const ModelConfig& config,
                        const std::function<bool(const std::string&)>& has);

}  // namespace emend::worker::families
