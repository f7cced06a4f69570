// LayerCommitter: what a solved layer becomes before the next layer's keys are read.
//
// MEMIT spreads an edit over several layers, and each layer is solved on what the earlier ones really serve: the committer turns Δ = adj·Rᵀ into the weight
// that will be served. QuantisingCommitter (quantising_committer.h) makes the integer columns of the product; FloatCommitter adds Δ in fp32, as the paper's
// code. Used by one thread. Tensors on the CPU.
#pragma once

#include <ATen/core/Tensor.h>

#include <string>
#include <vector>

#include "storage/base/ids.h"
#include "storage/base/status.h"
#include "storage/delta/column.h"
#include "worker/edit/solve.h"

namespace emend::worker::edit {

struct LayerUpdate {
  LayerIndex layer;
  at::Tensor adjusted_keys;  // [d_ff, n] fp64, a column an edit
  at::Tensor residuals;      // [d, n] fp64
  SolveMetric metric;
};

struct CommittedLayer {
  at::Tensor weight;                                // as served from now on: fp32 [d_ff, d]
  std::vector<storage::delta::TensorDelta> deltas;  // one an edit, in the batch's order; empty where nothing is quantised
};

class LayerCommitter {
 public:
  virtual ~LayerCommitter() = default;
  // Called once a layer, in ascending order. A failure ends the batch with it.
  virtual Result<CommittedLayer> Commit(const LayerUpdate& update) = 0;
};

}  // namespace emend::worker::edit
