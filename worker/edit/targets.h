// Targets: for every fact the vector z that the last edited layer L should put out at the subject's
// last token, so that the model says the target.
//
//   z = z0 + δ, δ minimising
//       mean over contexts of mean over target tokens of −log p
//       + kl_factor·KL at "{} is a"  +  v_weight_decay·‖δ‖/‖z0‖²
//
// by Adam, ‖δ‖ ≤ clamp_norm_factor·‖z0‖, until the loss is below loss_stop; all facts at once, each
// with its own Adam state and end. z0 is the clean output of L on the bare prompt. Facts are
// independent of each other, so batching changes results by rounding only. Source: Meng et al.
// 2022, equation 16; what each term stands for follows the published code. With v_keep_norm z is
// then made as long as z0 is in the unedited model, so that edits upon edits cannot lengthen each
// other's values (after Liu et al. 2026, who take one length for all: the mean of values that were
// found for other facts). Internal to worker/edit.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <span>

#include "storage/base/status.h"
#include "worker/edit/batch_targets.h"
#include "worker/edit/progress.h"
#include "worker/edit/prompts.h"
#include "worker/edit/thread_team.h"
#include "worker/model/transformer.h"
#include "worker/protocol/solve_settings.h"

namespace emend::worker::edit {

struct TargetInput {
  const model::Transformer& model;
  const model::Transformer* original = nullptr;  // unedited; null: `model` is
  std::span<const PromptRow> rows;               // fact by fact
  std::int64_t fact_count = 0;
  const protocol::SolveSettings& settings;
  // kept prefixes and one bucket's activations; facts are taken in chunks that fit, one at least
  std::int64_t memory_bytes_max = 0;
  ThreadTeam& team;
  const ProgressFunction& progress;  // "targets", in steps of facts
};

// Side by side pays on processors; a GPU is filled by one thread, and the collectives between ranks
// are one thread's.
int TeamSize(const model::Transformer& model);

// kFailedPrecondition ("non_finite") naming the fact whose loss is not finite. libtorch's
// exceptions pass through.
Result<Targets> OptimiseTargets(const TargetInput& input);

}  // namespace emend::worker::edit
