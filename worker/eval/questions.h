// Questions: what a chat model answers to a handful of general questions that no edit is about,
// before and after an edit.
//
//   EMEND_ASSIGN_OR_RETURN(const AnswerPairs answers,
//                          AskBoth({.before = parent, .after = edited}, prompts, {}));
//
// The questions are ours (questions.cc), the same at every commit. Whoever asks puts each into the
// words of the model's chat template; models without one are not asked: what they would go on with
// is no answer. An answer is the greedy continuation, kQuestionTokens tokens or up to the end of
// text. All prompts run as one batch on both models at once, over the keys and values of what came
// before. Thread-safe; blocks on compute; memory as score.h.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "storage/base/status.h"
#include "worker/eval/answers.h"

namespace emend::worker::eval {

inline constexpr std::int64_t kQuestionTokens = 24;

std::span<const std::string_view> Questions();

struct AnswerPairs {
  std::vector<std::vector<tokenizer::TokenId>> before;  // of each prompt, without end of text
  std::vector<std::vector<tokenizer::TokenId>> after;
  // Mean negative log likelihood under `before`, per token, in nats; NaN of no token.
  double nll_before = 0;  // of its own answers
  double nll_after = 0;   // of the others
};

// Both models are views of one base. kInvalidArgument as ScoreTargets, for a prompt that leaves no
// room for an answer, too.
Result<AnswerPairs> AskBoth(const ModelPair& models,
                            std::span<const std::vector<tokenizer::TokenId>> prompts,
                            const ScoreOptions& options);

// Whether prompt and answer fit the context; what AskBoth refuses is named there.
Status CheckQuestion(const families::ModelConfig& config,
                     std::span<const tokenizer::TokenId> prompt);

}  // namespace emend::worker::eval
