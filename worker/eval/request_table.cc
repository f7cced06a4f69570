#include "worker/eval/request_table.h"

#include <algorithm>
#include <string>

#include "storage/base/log.h"
#include "storage/base/utf8.h"

namespace emend::worker::eval {

Result<RequestTable::Slot> RequestTable::Add(std::string_view prompt, std::string_view target,
                                             storage::text::Join join) {
  const std::string context =
      "prompt " + JsonQuote(Shortened(prompt)) + " with target " + JsonQuote(Shortened(target));
  auto encoded = tokenizer::EncodePromptWithTarget(tokenizer_, prompt,
                                                   storage::text::AnswerText(prompt, target, join),
                                                   tokenizer::SpecialTokens::kWithTemplate);
  if (!encoded.ok()) return encoded.status().WithContext(context);
  const auto split = encoded->ids.begin() + static_cast<std::ptrdiff_t>(encoded->prompt_tokens);
  std::vector<tokenizer::TokenId> prompt_ids(encoded->ids.begin(), split),
      target_ids(split, encoded->ids.end());
  if (prompt_ids.empty())
    return Status(StatusCode::kInvalidArgument, "empty_prompt",
                  context + ": the prompt has no token, expected at least one");
  if (static_cast<std::int64_t>(encoded->ids.size()) - 1 > context_) {
    return Status(StatusCode::kInvalidArgument, "bad_fact",
                  context + ": takes " + std::to_string(encoded->ids.size()) +
                      " tokens, and the model's context has " + std::to_string(context_));
  }

  const auto [entry, is_new] = by_prompt_.try_emplace(prompt_ids, requests_.size());
  if (is_new) requests_.push_back({.prompt = std::move(prompt_ids), .targets = {}});
  auto& targets = requests_[entry->second].targets;
  const auto known = std::find(targets.begin(), targets.end(), target_ids);
  const Slot slot = {entry->second, static_cast<std::size_t>(known - targets.begin())};
  if (known == targets.end()) targets.push_back(std::move(target_ids));
  return slot;
}

}  // namespace emend::worker::eval
