// The keys of earlier edits, out of the file that the coordinator wrote for a solve.
#pragma once

#include <ATen/core/Tensor.h>

#include <map>
#include <string>
#include <vector>

#include "worker/edit/solver.h"
#include "worker/model/transformer.h"

namespace emend::worker::server {

// [d_ff, m] fp32, d_ff of all experts where there are several, of each of `layers` that this rank
// solves and an edit has changed; none for an empty path. kNotFound, kUnavailable (I/O); kDataLoss
// ("bad_past_keys") for a file that is something else, or keys of another width.
Result<std::map<LayerIndex, at::Tensor>> ReadPastKeys(const std::string& path,
                                                      const model::Transformer& model,
                                                      const std::vector<LayerIndex>& layers,
                                                      const edit::Solver& solver);

}  // namespace emend::worker::server
