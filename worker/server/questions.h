// The general questions (worker/eval/questions.h), as the base's own chat template puts them.
#pragma once

#include <optional>

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

}  // namespace emend::worker::server
