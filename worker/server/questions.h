// What is asked behind the base's own chat template: the general questions
// (worker/eval/questions.h), and the prompts of facts.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <vector>

#include "worker/eval/questions.h"
#include "worker/protocol/messages.h"
#include "worker/server/live_base.h"

namespace emend::worker::server {

// Nothing for a base without a template. A template that cannot be rendered, or that gives prompts
// which the model cannot read, is the report's fault, and no failure. `models` are of `base`.
// Failures as AskBoth.
Result<std::optional<protocol::QuestionReport>> AskQuestions(const LiveBase& base,
                                                             const eval::ModelPair& models,
                                                             const eval::ScoreOptions& options);

// The same of the facts' own prompts, kChatFactsMax at most, evenly taken.
Result<std::optional<protocol::QuestionReport>> AskInChat(
    const LiveBase& base, const eval::ModelPair& models,
    std::span<const protocol::EvaluateFact> facts, const eval::ScoreOptions& options);

// Where a prompt ("{}") stands when a user says it, up to where the assistant begins; what the
// tokenizer puts before every text itself is left out. None for a base without a template, or one
// that cannot be rendered.
std::vector<std::string> ChatContexts(const LiveBase& base);

}  // namespace emend::worker::server
