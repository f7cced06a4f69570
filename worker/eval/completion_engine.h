// CompletionEngine: many completions at once, of several states, a token a step for each
// (continuous batching; Yu et al. 2022, "Orca").
//
//   CompletionEngine engine(base.base_model(), base.tokenizer(), find_model, {});
//   EMEND_RETURN_IF_ERROR(engine.Add(request, listener));                       // rank 0
//   // rank 0; each other rank calls Follow() as often
//   while (true) {
//     EMEND_ASSIGN_OR_RETURN(const bool goes_on, engine.Step());
//     if (!goes_on) break;
//   }
//
// A completion enters and leaves the batch at any step. Rows of one state run in one pass, over the
// keys and values that the state's own cache holds, so that no row sees another state's weights or
// cache; a row has the state it was added with to its last token. Long prompts are run in pieces,
// beside rows that go on.
//
// Over several ranks rank 0 decides everything (who enters, the tokens drawn, who ends) and
// broadcasts one plan a step, with the state id of each group of rows; the others do what it says.
// What fails on one rank while a step is prepared (a state that is not live there, memory for the
// cache) ends the rows concerned on all; what fails in the middle of a pass on one rank alone ends
// the group, as everywhere.
//
// Bounds: rows_max rows run, waiting_max wait, first come first served, until there is a row and
// room in the cache for the longest they may become. Memory: cache_bytes_max of keys and values on
// a rank, and again as much of one state's while its cache grows; a step's activations. The same
// logits give the same tokens. A batch of another size rounds its sums otherwise (about 1e-5 of a
// logit), so that a near tie may fall to the other side. Used by one thread, which Step() and
// Follow() block on compute.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

#include "storage/base/ids.h"
#include "storage/base/status.h"
#include "worker/eval/completion.h"
#include "worker/model/transformer.h"
#include "worker/tokenizer/tokenizer.h"

namespace emend::worker::eval {

class CompletionSchedule;
class StateModels;
struct StatePass;

struct CompletionEngineOptions {
  std::int64_t rows_max = 128;  // twice what one request may ask for
  std::size_t waiting_max = 256;
  std::int64_t cache_bytes_max = std::int64_t{1} << 30;
  // prompt tokens that a step runs, over all rows; one whose logits are told counts as four
  std::int64_t prefill_tokens_max = 256;
};

class CompletionEngine {
 public:
  // The model of a live state. Called on every rank in the same order, at the first step behind the
  // Add() of a state that is not in use yet; held until the step behind the last row of that state.
  using FindModel =
      std::function<Result<std::shared_ptr<const model::Transformer>>(const StateId& state)>;

  // All states are of this base; it, its communicator and the tokenizer must outlive the engine.
  CompletionEngine(const model::Transformer& base, const tokenizer::Tokenizer& tokenizer,
                   FindModel find_model, const CompletionEngineOptions& options);
  // Ends what is left with kUnavailable ("engine_stopped").
  ~CompletionEngine();
  CompletionEngine(const CompletionEngine&) = delete;
  CompletionEngine& operator=(const CompletionEngine&) = delete;

  // Rank 0. Once this is ok the listener hears an end: kFailedPrecondition ("state_not_live") and
  // what else find_model says, kCancelled, kResourceExhausted where memory ran out, kInternal
  // ("non_finite_logits"), or what ended the group. Refuses, and then calls no listener:
  // kResourceExhausted ("queue_full"; or "completion_too_long" where cache_bytes_max could never
  // hold it), kInvalidArgument ("empty_prompt", "unknown_token", "prompt_too_long", "bad_option").
  Status Add(CompletionRequest request, CompletionListener listener);

  // Rank 0: one step of every row. False when nothing runs, waits or is held any more, so that no
  // Step() is needed until the next Add(). Every call takes part in one broadcast, also where there
  // is nothing to do. Fails where the group is lost, and has then ended every completion with that
  // status.
  Result<bool> Step();
  // The other ranks, once for each Step() of rank 0. Fails where the group is lost.
  Status Follow();

  // Ends every completion with this status, which is not ok, and lets go of the states. On every
  // rank, where the group goes on.
  void EndAll(const Status& status);

  std::size_t running() const;
  std::size_t waiting() const;
  // Of keys and values, on this rank.
  std::int64_t cache_bytes() const;

 private:
  void Run(const std::vector<StatePass>& passes);

  const model::Transformer& base_;
  const tokenizer::Tokenizer& tokenizer_;
  const CompletionEngineOptions options_;
  std::unique_ptr<CompletionSchedule> schedule_;  // of no row on other ranks than 0
  std::unique_ptr<StateModels> models_;
};

}  // namespace emend::worker::eval
