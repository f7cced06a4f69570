// Collects (prompt, target) texts into scoring requests: targets of one prompt share a request, and
// what is asked twice is scored once. Internal to worker/eval.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <string_view>
#include <vector>

#include "storage/text/join.h"
#include "worker/eval/score.h"

namespace emend::worker::eval {

class RequestTable {
 public:
  // Where the score of one pair will stand: scores[request][target].
  struct Slot {
    std::size_t request = 0;
    std::size_t target = 0;
    friend bool operator==(const Slot&, const Slot&) = default;
  };

  // `tokenizer` must outlive the table. `context`: positions of the model.
  RequestTable(const tokenizer::Tokenizer& tokenizer, std::int64_t context)
      : tokenizer_(tokenizer), context_(context) {}

  // Encodes the prompt with the target after it. kInvalidArgument, naming the prompt, if the two
  // cannot be told apart in tokens, have none, or do not fit the context (slugs
  // "token_straddles_target", "empty_target", "empty_prompt", "bad_fact").
  Result<Slot> Add(std::string_view prompt, std::string_view target, storage::text::Join join);
  const std::vector<ScoreRequest>& requests() const { return requests_; }

 private:
  const tokenizer::Tokenizer& tokenizer_;
  std::int64_t context_;
  std::vector<ScoreRequest> requests_;
  std::map<std::vector<tokenizer::TokenId>, std::size_t> by_prompt_;
};

}  // namespace emend::worker::eval
