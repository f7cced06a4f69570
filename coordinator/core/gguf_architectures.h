// The architectures of GGUF files that can be converted, a row each: names of tensors and what
// their values need, keys of the metadata, and what neither says.
//
//   for (const GgufArchitecture& architecture : GgufArchitectures()) architecture.model_type;
//
// To add one: a row in gguf_architectures.cc, a line in docs/reference/models.md.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

#include "coordinator/core/gguf_config.h"
#include "storage/base/status.h"

namespace emend::coordinator::core {

// How a tensor's values are stored otherwise than in Hugging Face's layout.
enum class GgufFix : std::uint8_t {
  kNone,
  kQueryRows,  // each head's rows take turns in its two halves
  kKeyRows,    // the same, of the heads of keys
  kTransposed,
  kPlusOne,  // stored as 1 + the value
};

struct GgufTensorName {
  std::string_view from;  // without ".weight" and ".bias"; of a block without "blk.3."
  std::string_view to;
  GgufFix fix = GgufFix::kNone;  // of the weight, and where it is about rows of the bias
};

enum class GgufKeyKind { kInteger, kNumber };
struct GgufKeyName {
  std::string_view from;  // without the architecture's name
  const char* to;
  GgufKeyKind kind = GgufKeyKind::kInteger;
  std::optional<double> fallback = {};  // none: it must be there
};

struct GgufArchitecture {
  std::string_view name;  // "general.architecture"
  const char* model_type;
  const char* class_name;
  std::string_view blocks;  // what the names of a block's tensors begin with
  std::span<const GgufTensorName> tensors;
  std::span<const GgufTensorName> block_tensors;
  std::span<const GgufKeyName> keys;
  bool names_heads;  // config.json has heads of keys and values, and the size of a head
  Status (*finish)(GgufConfig& maker);
};

std::span<const GgufArchitecture> GgufArchitectures();

// The tensor with the factors of rotations: it becomes a part of config.json.
inline constexpr char kRotationFactors[] = "rope_freqs.weight";

}  // namespace emend::coordinator::core
