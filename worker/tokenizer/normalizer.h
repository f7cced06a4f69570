// The "normalizer" of a tokenizer file: rewrites a text before it is cut, keeping track of the
// bytes that each new byte came from. The known kinds are the rows of a table in normalizer.cc.
// Thread-safety: const methods are safe from many threads.
#pragma once

#include <memory>
#include <vector>

#include "storage/base/status.h"
#include "worker/tokenizer/aligned_text.h"
#include "worker/tokenizer/json_node.h"
#include "worker/tokenizer/step_kind.h"

namespace emend::worker::tokenizer {

// A text may grow this much; a hostile file could make it explode otherwise.
inline constexpr std::size_t kNormalizedBytesMax = std::size_t{64} << 20;

class NormalizerStep {
 public:
  virtual ~NormalizerStep() = default;
  // REQUIRES: UTF-8. kResourceExhausted if a pattern takes too many steps.
  virtual Result<AlignedText> Apply(AlignedText text) const = 0;
};

using NormalizerPointer = std::unique_ptr<const NormalizerStep>;

// kResourceExhausted over kNormalizedBytesMax.
Status CheckNormalizedSize(std::size_t bytes);

class Normalizer {
 public:
  static Result<Normalizer> FromJson(const Node& node);
  static Normalizer FromStep(NormalizerPointer step);

  Result<AlignedText> Apply(AlignedText text) const;

 private:
  Status Add(const Node& node, int depth);

  std::vector<NormalizerPointer> steps_;
};

}  // namespace emend::worker::tokenizer
