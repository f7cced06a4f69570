// What the answers of a batch's facts ask of each edited layer: the inputs of its down projection
// where an answer's tokens are predicted, and how the loss falls with what it puts out there. One
// pass forwards and one backwards, whatever the number of layers.
//
//   EMEND_ASSIGN_OR_RETURN(const AnswerGradients found, TakeGradients({.model = model, .rows =
//   rows,
//       .fact_count = n, .layers = settings.layers, .memory_bytes_max = bytes, .team = team,
//       .progress = progress}));
//   found.layers.at(layer).keys;  // [d_ff, c]
//
// Of each fact its bare prompt and target, a column for each token of the target: c of them, fact
// by fact. A token's loss is −log p; the prompt's other tokens ask nothing. Over several ranks all
// is whole on each. Internal to worker/edit; libtorch's exceptions pass through.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <map>
#include <span>
#include <vector>

#include "storage/base/ids.h"
#include "storage/base/status.h"
#include "worker/edit/progress.h"
#include "worker/edit/prompts.h"
#include "worker/edit/thread_team.h"
#include "worker/model/transformer.h"

namespace emend::worker::edit {

struct GradientInput {
  const model::Transformer& model;
  std::span<const PromptRow> rows;
  std::int64_t fact_count = 0;
  std::span<const LayerIndex> layers;  // ascending
  std::int64_t memory_bytes_max = 0;   // of what autograd holds at once; one row at least
  ThreadTeam& team;
  const ProgressFunction& progress;  // "targets", in facts
};

struct LayerGradients {
  at::Tensor keys;    // H, [d_ff, c] fp64; of a layer with experts d_ff is of all of them
  at::Tensor values;  // G, [d, c] fp64: of the summed loss, by the down projection's output
};

struct AnswerGradients {
  std::map<LayerIndex, LayerGradients> layers;
  at::Tensor facts;   // int64 [c]: whose token it is
  at::Tensor losses;  // [facts] fp64: the mean over its tokens
};

// What `progress` returns.
Result<AnswerGradients> TakeGradients(const GradientInput& input);

// What UltraEdit (Gu et al. 2025) has each column's key give: V = −step·‖ĥ‖²·ĝ, [d, c], where ĥ and
// ĝ are keys and values less their means over the columns, by their deviations. REQUIRES: c ≥ 2.
at::Tensor UltraEditValues(const LayerGradients& gradients, double step);

}  // namespace emend::worker::edit
