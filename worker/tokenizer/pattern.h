// The "pattern" of a tokenizer file's component: {"String": text}, {"Regex": pattern} or a bare
// string, which is text. Thread-safety: const methods are safe from many threads.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "storage/base/status.h"
#include "worker/tokenizer/json_node.h"
#include "worker/tokenizer/regex.h"

namespace emend::worker::tokenizer {

// Cuts `text` at every occurrence of `literal`, from the left, as Regex::Cut does. REQUIRES:
// literal is not empty.
std::vector<Match> CutAtLiteral(std::string_view text, std::string_view literal);

class Pattern {
 public:
  static Result<Pattern> FromJson(const Node& node);

  // As Regex::Cut.
  Result<std::vector<Match>> Cut(std::string_view text) const;

 private:
  std::string literal_;
  std::optional<Regex> regex_;  // if absent, literal_ is the pattern
};

}  // namespace emend::worker::tokenizer
