// How a collective on a tensor is announced on the line, whichever back end moves the data.
// Internal to this folder.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>

#include "storage/base/status.h"
#include "worker/collective/line.h"

namespace emend::worker::collective {

// On the wire: never renumber.
enum class Operation : std::uint16_t {
  kSum = 1,
  kMax = 2,
  kBroadcast = 3,
  kAllGather = 4,
  kReduceScatter = 5,
  kBarrier = 6
};
// Added to an operation whose data does not travel on the line: ranks that do not agree on where it
// travels have a mismatch.
constexpr std::uint16_t kBesideTheLine = 16;

// kInvalidArgument for an element type other than fp32, fp64 and int64.
Result<LineCall> CallOf(const at::Tensor& tensor, Operation operation, const char* name);
Status CheckRoot(int root, int ranks);
// The first dimension must divide by the ranks.
Status CheckScatter(const at::Tensor& tensor, int ranks);
// [ranks, ...] of a tensor [...].
std::vector<std::int64_t> GatheredSizes(const at::Tensor& tensor, int ranks);
// This rank's part [n, ...] of a tensor [ranks · n, ...].
std::vector<std::int64_t> ScatteredSizes(const at::Tensor& tensor, int ranks);

}  // namespace emend::worker::collective
