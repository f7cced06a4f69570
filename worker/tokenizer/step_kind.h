// The kinds of a component, a row each, and the making of one by its type's name.
#pragma once

#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "storage/base/status.h"
#include "worker/tokenizer/json_node.h"

namespace emend::worker::tokenizer {

template <typename Step>
struct StepKind {
  std::string_view type;
  Result<std::unique_ptr<const Step>> (*make)(const Node& node);
};

// kUnsupported, with the known types, for one that has no row.
template <typename Step>
Result<std::unique_ptr<const Step>> MakeStep(std::span<const StepKind<Step>> kinds,
                                             const Node& node, std::string_view type) {
  std::string known;
  for (const StepKind<Step>& kind : kinds) {
    if (kind.type == type) return kind.make(node);
    known += std::string(kind.type) + ", ";
  }
  return node.UnknownType(type, known + "Sequence");
}

}  // namespace emend::worker::tokenizer
