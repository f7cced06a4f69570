// The "pre_tokenizer" of a tokenizer file: cuts a normalised text into the pieces inside which
// tokens may merge. The known kinds are the rows of a table in pre_tokenizer.cc. Thread-safety:
// const methods are safe from many threads.
#pragma once

#include <memory>
#include <vector>

#include "storage/base/status.h"
#include "worker/tokenizer/aligned_text.h"
#include "worker/tokenizer/json_node.h"
#include "worker/tokenizer/regex.h"
#include "worker/tokenizer/step_kind.h"

namespace emend::worker::tokenizer {

// Bytes [begin, end) of the text that is being cut.
struct Piece {
  std::size_t begin = 0;
  std::size_t end = 0;
};

struct Pieces {
  AlignedText text;
  std::vector<Piece> pieces;  // in order, none empty; bytes between them are dropped
};

class PreTokenizerStep {
 public:
  virtual ~PreTokenizerStep() = default;
  virtual Status Apply(Pieces* pieces) const = 0;
};

class PreTokenizer {
 public:
  static Result<PreTokenizer> FromJson(const Node& node);

  // True if the model's symbols are bytes (a ByteLevel step, always the last), not characters.
  bool byte_level() const { return byte_level_; }
  // kResourceExhausted if a pattern takes too many steps.
  Result<Pieces> Apply(AlignedText text) const;

 private:
  Status Add(const Node& node, int depth);

  std::vector<std::unique_ptr<const PreTokenizerStep>> steps_;
  bool byte_level_ = false;
};

}  // namespace emend::worker::tokenizer
