// How likely a model finds given continuations of given prompts: the mean negative log likelihood
// per target token, for many (prompt, targets) pairs at once.
//
//   std::vector<ScoreRequest> requests = {{.prompt = {12, 7}, .targets = {{431}, {88, 9}}}};
//   EMEND_ASSIGN_OR_RETURN(auto scores, ScoreTargets(model, requests, {}));
//   bool prefers_first = scores[0][0].nll < scores[0][1].nll;
//
// The targets of one request share one pass over its prompt: they stand behind it in one row, each
// at the position where it would stand alone, closed to each other by the mask. Rows of like length
// run together; logits are taken at target positions alone. Memory: activations of `tokens_max`
// tokens (or of one row where that is longer), and kLogitsMax logits. Thread-safe; blocks on
// compute. Runs without autograd. fp32 on the model's device.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "storage/base/status.h"
#include "worker/model/transformer.h"
#include "worker/tokenizer/tokenizer.h"

namespace emend::worker::eval {

// Called from the calling thread as work gets done; a failed Status ends the work with it. May be
// empty.
using ProgressFunction = std::function<Status(std::int64_t done, std::int64_t total)>;

struct ScoreRequest {
  std::vector<tokenizer::TokenId> prompt;                // at least one token
  std::vector<std::vector<tokenizer::TokenId>> targets;  // each at least one token
};

struct TargetScore {
  double nll = 0;          // mean over the target's tokens, in nats
  double probability = 0;  // of the whole target
  bool argmax = false;     // each target token is the most likely one at its place
};

struct ScoreOptions {
  std::int64_t tokens_max = 2048;  // rows · length of one batch, padding included
  ProgressFunction progress = {};  // in requests
};

inline constexpr std::int64_t kLogitsMax = std::int64_t{1} << 25;

// scores[i][j] is of requests[i].targets[j]. kInvalidArgument with the slug "empty_prompt",
// "empty_target", "unknown_token" or "text_too_long" (prompt and target do not fit the context)
// names the request. kResourceExhausted when memory runs out. A model whose logits are not numbers
// gives nll NaN.
Result<std::vector<std::vector<TargetScore>>> ScoreTargets(const model::Transformer& model,
                                                           std::span<const ScoreRequest> requests,
                                                           const ScoreOptions& options);

}  // namespace emend::worker::eval
