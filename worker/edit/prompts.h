// The texts of a batch as tokens: every fact's prompt behind every context, and the text on which
// drift of the subject itself is measured. Internal to worker/edit; no libtorch.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "storage/base/status.h"
#include "worker/edit/batch_targets.h"
#include "worker/tokenizer/tokenizer.h"

namespace emend::worker::edit {

enum class RowKind : std::uint8_t {
  kBare,     // the prompt alone
  kContext,  // the prompt behind a context
  kDrift,    // "{} is a": its prediction at the subject's last token should stay (the KL term)
};

struct PromptRow {
  std::int64_t fact = 0;
  RowKind kind = RowKind::kBare;
  // of this row in the fact's mean key; the weights of a fact's rows add up to 1
  double key_weight = 0;
  // prompt and target without the target's last token; a kDrift row ends at its lookup token
  std::vector<tokenizer::TokenId> ids = {};
  std::int64_t lookup = 0;  // index of the subject's last token
  // the target's tokens; the last target_ids.size() tokens of `ids` predict them. Empty: kDrift
  std::vector<std::int64_t> target_ids = {};

  std::int64_t token_count() const { return static_cast<std::int64_t>(ids.size()); }
  // Tokens from the lookup token on: those that an optimised δ changes.
  std::int64_t suffix() const { return token_count() - lookup; }
};

// Rows fact by fact: the templates in order, then the kDrift row. Errors as SolveBatch documents
// them.
Result<std::vector<PromptRow>> EncodeFacts(const tokenizer::Tokenizer& tokenizer,
                                           std::span<const EditFact> facts,
                                           const std::vector<std::vector<std::string>>& templates,
                                           std::int64_t context_tokens);

}  // namespace emend::worker::edit
