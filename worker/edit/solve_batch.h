// SolveBatch: one MEMIT batch from facts to edits, batched over facts throughout.
//
//   targets              z of every fact: what the last edited layer should say at the subject's
//                        last token (targets.h)
//   per layer, ascending keys K of all facts, residuals R = (z − current)/layers left (sweep.h)
//                        → adj = A⁻¹K in fp64 (solver.h)
//                        → columns and the served weight (committer.h) → next layer
//
// With own_targets (BLUE: Li et al. 2025) each layer's targets are found in that layer, on what the
// layers before it serve by now, and R = z − current there.
//
// A method that finds gradients (ultraedit) takes those of all layers in one pass before any of
// them is changed (answer_gradients.h), and gives a fact a column for each token of its answer.
//
//   QuantisingCommitter committer(parent_tensors);
//   EMEND_ASSIGN_OR_RETURN(
//       BatchSolution solution,
//       SolveBatch({.model = model, .tokenizer = tokenizer, .facts = facts,
//                   .settings = settings, .solver = solver, .committer = committer}));
//
// A layer with experts is solved as if their down projections were one, side by side: a fact's key
// is then 0 but for the experts that its texts pass, and it changes these alone.
//
// Every fact gets its own columns, so that it can be taken out alone; facts that share subject and
// left context are not yet joined into one. Changes no state: the model is read only, and what
// comes back is an edit only once somebody commits it. The same input gives the same result on one
// machine and thread count. Blocks for seconds to hours; `progress` is called throughout and can
// cancel. Errors: kInvalidArgument naming the fact by its index ("bad_fact": prompt without exactly
// one {}, empty subject or target, too long for the context; "token_straddles_target" from the
// tokenizer); "bad_setting"; kFailedPrecondition ("no_statistics", "singular_statistics",
// "non_finite" if a target diverged); the committer's; whatever `progress` returned;
// kResourceExhausted out of memory; libtorch's exceptions as kInternal. Source: Meng et al.,
// "Mass-Editing Memory in a Transformer" (2022), algorithm 1.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <vector>

#include "storage/base/status.h"
#include "storage/delta/payload.h"
#include "worker/edit/batch_targets.h"
#include "worker/edit/committer.h"
#include "worker/edit/progress.h"
#include "worker/edit/solver.h"
#include "worker/model/transformer.h"
#include "worker/protocol/solve_settings.h"
#include "worker/tokenizer/tokenizer.h"

namespace emend::worker::edit {

struct BatchInput {
  const model::Transformer& model;               // serving the parent state
  const model::Transformer* original = nullptr;  // unedited, for v_keep_norm; null: `model` is
  const tokenizer::Tokenizer& tokenizer;
  std::span<const EditFact> facts;
  const protocol::SolveSettings& settings;
  Solver& solver;
  LayerCommitter& committer;
  // of each layer, on the rank that solves it: what the solve must leave as it is; none: nothing
  std::map<LayerIndex, at::Tensor> past_keys = {};
  // use these z in the last layer and optimise none there (refit); values undefined: optimise
  Targets targets = {};
  // what optimising targets may hold at once; facts are taken in chunks that fit
  std::int64_t memory_bytes_max = std::int64_t{2} << 30;
  ProgressFunction progress = {};  // phases "targets", "keys", "solve"
};

struct EditSolution {
  // sorted by tensor name; empty with a committer that does not quantise
  storage::delta::EditDelta delta;
  // the fact's mean key at each edited tensor, sorted by tensor name; of experts where it is not 0
  std::vector<storage::delta::EditKey> keys;
  storage::delta::EditTarget target;  // z; without values where the method finds none
  // index of the subject's last token in the bare prompt
  std::int64_t lookup = 0;
  // forward passes of its optimisations; 0 if targets were given without them
  std::int64_t steps = 0;
  double loss = 0;  // at the last of them
};

struct LayerOutcome {
  LayerIndex layer;
  std::string tensor;      // of the first expert, where there are several
  at::Tensor keys;         // K, [d_ff, columns] fp64
  at::Tensor residuals;    // R, [d, columns] fp64
  double update_norm = 0;  // ‖served − before‖, Frobenius
  double weight_norm = 0;  // ‖before‖
  double leverage = 0;     // of LayerSolution, as the next two
  double weight = 0;
  std::int64_t frozen = 0;
  std::int64_t experts = 0;  // of the layer; 0: it has none
  std::int64_t changed = 0;  // of these
};

struct BatchSeconds {
  double targets = 0;
  double keys = 0;  // the sweep's forward passes
  double solve = 0;
  double apply = 0;  // committing: quantise, add, round
};

struct BatchSolution {
  std::vector<EditSolution> edits;   // in the order of the facts
  std::vector<LayerOutcome> layers;  // ascending
  BatchSeconds seconds;
};

Result<BatchSolution> SolveBatch(const BatchInput& input);

}  // namespace emend::worker::edit
