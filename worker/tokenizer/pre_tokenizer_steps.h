// The single steps of a PreTokenizer, each read from its component in the file. Only
// pre_tokenizer.cc uses them. Thread-safety: free functions without state.
#pragma once

#include <memory>

#include "storage/base/status.h"
#include "worker/tokenizer/json_node.h"
#include "worker/tokenizer/pre_tokenizer.h"

namespace emend::worker::tokenizer {

// add_prefix_space: a piece that starts without a space gets one. use_regex: cuts by GPT-2's
// pattern.
Result<std::unique_ptr<const PreTokenizerStep>> MakeByteLevelStep(const Node& node);
// pattern, behavior, invert.
Result<std::unique_ptr<const PreTokenizerStep>> MakeSplitStep(const Node& node);
// individual_digits: each number alone, else runs of them.
Result<std::unique_ptr<const PreTokenizerStep>> MakeDigitsStep(const Node& node);
// replacement for spaces, prepend_scheme (always, never, first), split.
Result<std::unique_ptr<const PreTokenizerStep>> MakeMetaspaceStep(const Node& node);

}  // namespace emend::worker::tokenizer
