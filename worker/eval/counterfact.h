// CounterFact's metrics: does the model say the new targets, also behind other words, and has it
// kept what stands near them?
//
//   std::vector<EvalFact> facts = {{.prompt = "The mother tongue of Danielle Darrieux is",
//       .target_new = "English", .target_true = "French"}};
//   EMEND_ASSIGN_OR_RETURN(EvalReport report, EvaluateFacts(model, tokenizer, facts, {}));
//
// Definitions (Meng et al., "Locating and Editing Factual Associations in GPT", 2022, and the
// authors' evaluation code). A target's likelihood is the mean over its tokens of log p, and a
// target stands after what storage/text/join.h puts there. Per fact, then averaged over facts, in
// percent:
//
//   ES  share of the rewriting prompt (one) where the new target is likelier than the true one
//       (efficacy)
//   PS  the same over the paraphrases
//       (paraphrase, generalisation)
//   NS  share of the neighbours where the true target is likelier than the new one
//       (neighbourhood, specificity); that of a neighbour with a target of its own is that target
//   score  harmonic mean of the three; 0 where one of them is 0
//   es_argmax, ps_argmax
//       share of prompts whose greedy continuation is the new target, every token of it
//   ns_argmax             share of neighbours whose greedy continuation is the true target
//
// A fact without a true target has nothing to compare with: its es is its es_argmax, its ps its
// ps_argmax, and its neighbours without a target of their own are not counted. Nor is a neighbour
// whose own target is the new one. Facts without paraphrases (neighbours) are left
// out of PS (NS); where no fact has any, the figure is 0, its count 0, and the score is taken over
// the others. Prompt and target are encoded as one text. Thread-safe; blocks on compute; memory as
// in score.h.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "storage/base/status.h"
#include "storage/text/join.h"
#include "storage/text/neighbour.h"
#include "worker/eval/score.h"
#include "worker/model/transformer.h"
#include "worker/tokenizer/tokenizer.h"

namespace emend::worker::eval {

struct EvalFact {
  std::string prompt;  // the subject filled in
  std::vector<std::string> paraphrases;
  std::vector<storage::text::Neighbour> neighbours;
  std::string target_new;
  std::optional<std::string> target_true;
  // between a prompt, whichever of them, and a target
  storage::text::Join join = storage::text::Join::kByText;
  std::string name = {};  // what messages call it; by its index if empty
};

// Percent, of one fact.
struct FactResult {
  double es = 0;
  std::optional<double> ps;  // none: the fact has no paraphrase
  std::optional<double> ns;  // none: no neighbour has a true target
  double es_argmax = 0;
  std::optional<double> ps_argmax;
  std::optional<double> ns_argmax;
  double nll_new = 0;      // of the rewriting prompt, nats per token
  double probability = 0;  // of the new target after it, whole
  std::optional<double> nll_true;
  std::vector<TargetScore> neighbour_targets;  // of the neighbours that have one, in their order
};

// Means over the facts that have such prompts; NaN where none has.
struct EvalReport {
  std::int64_t n = 0;        // facts
  std::int64_t n_ps = 0;     // facts counted in ps and ps_argmax
  std::int64_t n_ns = 0;     // facts counted in ns and ns_argmax
  std::int64_t prompts = 0;  // prompts scored, each once however often it is asked
  double es = 0;
  double ps = 0;
  double ns = 0;
  double score = 0;
  double es_argmax = 0;
  double ps_argmax = 0;
  double ns_argmax = 0;
  std::vector<FactResult> facts;  // in the order given
};

// kInvalidArgument names the fact and the prompt: slugs of score.h, of EncodePromptWithTarget
// ("token_straddles_target", "empty_target"), and "no_facts".
Result<EvalReport> EvaluateFacts(const model::Transformer& model,
                                 const tokenizer::Tokenizer& tokenizer,
                                 std::span<const EvalFact> facts, const ScoreOptions& options);

}  // namespace emend::worker::eval
