// LayerCommitter: what a solved layer becomes before the next layer's keys are read.
//
// MEMIT spreads an edit over several layers, and each layer is solved on what the earlier ones
// really serve: the committer turns Δ = adj·Rᵀ into the weight that will be served.
// QuantisingCommitter (quantising_committer.h) makes the integer columns of the product.
//
// Over several ranks a layer is solved on one of them: that one quantises, and every rank applies
// the result to its part. Used by one thread. Tensors on the CPU.
#pragma once

#include <ATen/core/Tensor.h>

#include <vector>

#include "storage/base/ids.h"
#include "storage/base/status.h"
#include "storage/delta/payload.h"
#include "worker/edit/solver.h"

namespace emend::worker::edit {

struct LayerUpdate {
  LayerIndex layer;
  at::Tensor adjusted_keys;  // [d_ff, n] fp64, a column an edit; on the rank that solved the layer
  at::Tensor residuals;      // [d, n] fp64
  SolveMetric metric;        // on the rank that solved the layer
};

struct CommittedLayer {
  // as served from now on: this rank's rows, fp32 [d_ff, d], of each expert in turn
  at::Tensor weight;
  // One an edit, in the batch's order; empty where nothing is quantised. Of a layer with experts it
  // holds those that the edit changes.
  std::vector<storage::delta::EditDelta> deltas;
};

class LayerCommitter {
 public:
  virtual ~LayerCommitter() = default;
  // Both are called once a layer, in ascending order. A failure ends the batch with it.
  // On the rank that solved the layer: CommittedLayer::deltas.
  virtual Result<std::vector<storage::delta::EditDelta>> Quantise(const LayerUpdate& update) = 0;
  // On every rank, with what Quantise made there: CommittedLayer::weight.
  virtual Result<at::Tensor> Apply(const LayerUpdate& update,
                                   const std::vector<storage::delta::EditDelta>& deltas) = 0;
};

}  // namespace emend::worker::edit
