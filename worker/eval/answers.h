// Whether a model still says what another said: the greedy answers of prompts, and how far the
// distributions of the next token are apart.
//
//   EMEND_ASSIGN_OR_RETURN(const KeptAnswers kept,
//                          CompareAnswers({.before = parent, .after = edited}, prompts, {}));
//
// An answer is the greedy continuation of `before`, kAnswerTokens tokens or up to the end of text.
// It is kept where each of its tokens is the greedy one of `after`, too. KL is that of the next
// token, Σ p_before·(log p_before − log p_after), in nats. Both models are of one base and lie on
// one device. Thread-safe; blocks on compute; memory as score.h.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "storage/base/status.h"
#include "worker/eval/score.h"
#include "worker/model/transformer.h"
#include "worker/tokenizer/tokenizer.h"

namespace emend::worker::eval {

inline constexpr std::int64_t kAnswerTokens = 3;

struct ModelPair {
  const model::Transformer& before;
  const model::Transformer& after;
};

struct KeptAnswers {
  std::vector<bool> kept;  // of each prompt
  std::vector<double> kl;
};

// kInvalidArgument as ScoreTargets, for a prompt that leaves no room for an answer, too.
Result<KeptAnswers> CompareAnswers(const ModelPair& models,
                                   std::span<const std::vector<tokenizer::TokenId>> prompts,
                                   const ScoreOptions& options);

}  // namespace emend::worker::eval
