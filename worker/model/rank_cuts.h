// Where a cut model's computation enters and leaves the ranks' parts, with gradients. Internal to
// worker/model.
//
//   // the same on every rank; gradients are summed on the way back
//   at::Tensor inside = EnterCut(normed, communicator);
//   // this rank's columns, then this rank's rows
//   at::Tensor partial = at::matmul(Key(at::linear(inside, up)), down);
//   // summed; gradients go back as they are
//   at::Tensor whole = SumCut(partial, communicator);
//
// (The f and g of Shoeybi et al. 2019, "Megatron-LM", figure 3.) With one rank each is its
// argument. A failed collective throws StatusError.
#pragma once

#include <ATen/core/Tensor.h>

#include <vector>

#include "worker/collective/communicator.h"
#include "worker/families/shard_plan.h"

namespace emend::worker::model {

at::Tensor EnterCut(const at::Tensor& whole, collective::Communicator& communicator);
// May sum in the memory of `partial`.
at::Tensor SumCut(const at::Tensor& partial, collective::Communicator& communicator);
// The ranks' parts of the last dimension side by side; the slices are all ranks', by rank. Each
// rank gets its own part's gradient back.
at::Tensor GatherCut(const at::Tensor& part, const std::vector<families::Slice>& slices,
                     collective::Communicator& communicator);

}  // namespace emend::worker::model
