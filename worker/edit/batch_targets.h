// FindTargets: the targets of a batch's facts alone, so that several workers can share them.
//
//   EMEND_ASSIGN_OR_RETURN(const Targets targets, FindTargets({.model = model, .tokenizer =
//       tokenizer, .facts = facts, .settings = settings}));
//   ... SolveBatch({..., .targets = targets});
//
// Facts are independent of each other, so whoever finds them, and in what company, changes results
// by rounding only. What they are: targets.h. Blocks; `progress` can cancel. Errors as SolveBatch
// (solve_batch.h).
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "storage/text/join.h"
#include "worker/edit/progress.h"
#include "worker/model/transformer.h"
#include "worker/protocol/solve_settings.h"
#include "worker/tokenizer/tokenizer.h"

namespace emend::worker::edit {

struct EditFact {
  std::string prompt;  // with exactly one "{}" for the subject
  std::string subject;
  std::string target;
  storage::text::Join join = storage::text::Join::kByText;
  std::string name = {};  // what messages call it; by its index if empty
};

struct Targets {
  at::Tensor values;                // z, [facts, d] fp32 on the CPU
  std::vector<std::int64_t> steps;  // forward passes taken
  std::vector<double> losses;       // at the last of them
};

struct FindTargetsInput {
  const model::Transformer& model;               // serving the parent state
  const model::Transformer* original = nullptr;  // unedited, for v_keep_norm; null: `model` is
  const tokenizer::Tokenizer& tokenizer;
  std::span<const EditFact> facts;
  const protocol::SolveSettings& settings;
  std::int64_t memory_bytes_max = std::int64_t{2} << 30;
  ProgressFunction progress = {};  // phase "targets"
};

Result<Targets> FindTargets(const FindTargetsInput& input);

}  // namespace emend::worker::edit
