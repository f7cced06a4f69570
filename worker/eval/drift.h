// Drift: how likely a model finds plain text that no edit is about.
//
//   EMEND_ASSIGN_OR_RETURN(const double perplexity, HeldPerplexity(model, tokenizer, {}));
//
// The held texts are a few paragraphs of plain English of ours (drift.cc), about subjects that
// nobody edits, the same at every commit: what rises between a commit's parent and the commit is
// harm that neighbours do not show. exp of the mean negative log likelihood per token, over all
// tokens but the first of each text. Thread-safe; blocks on compute.
#pragma once

#include <span>
#include <string_view>

#include "storage/base/status.h"
#include "worker/eval/score.h"
#include "worker/model/transformer.h"
#include "worker/tokenizer/tokenizer.h"

namespace emend::worker::eval {

std::span<const std::string_view> HeldTexts();

// kInvalidArgument ("unknown_token", "no_token_for_text") where the model cannot read a text; as
// ScoreTargets. Texts are cut to the model's context.
Result<double> HeldPerplexity(const model::Transformer& model,
                              const tokenizer::Tokenizer& tokenizer, const ScoreOptions& options);

}  // namespace emend::worker::eval
