// The "post_processor" of a tokenizer file: the special tokens that stand before and behind a
// single text. Known: ByteLevel (which only trims offsets, and is passed over: a token keeps all
// its bytes), TemplateProcessing, Sequence. Thread-safety: const methods are safe from many
// threads.
#pragma once

#include <vector>

#include "storage/base/status.h"
#include "worker/tokenizer/json_node.h"
#include "worker/tokenizer/vocabulary.h"

namespace emend::worker::tokenizer {

struct Template {
  std::vector<TokenId> before;
  std::vector<TokenId> behind;
};

Result<Template> ReadTemplate(const Node& node, const Vocabulary& vocabulary);

}  // namespace emend::worker::tokenizer
