// The back end over NCCL: tensors of one CUDA device go through it, all others (decisions, bytes,
// digests) over the line, so that callers need not care where a small tensor lies. NCCL is found at
// run time (nccl_api.h).
//
//   EMEND_ASSIGN_OR_RETURN(auto line, Line::Join(std::move(port), options));
//   EMEND_ASSIGN_OR_RETURN(const auto communicator, NewNcclCommunicator(std::move(line), {
//       .device = at::Device("cuda:0"), .device_index = 0}));
//
// NCCL compares nothing: whether the ranks make the same call is what the headers on the line say
// before each. It reports no lost rank of the same machine either, so every wait looks at NCCL, the
// stream, the line's connections and the deadline in turn; whatever fails ends line and
// communicator on this rank, and through the closed connections on all.
//
// Sums are NCCL's: the same bits on every rank, but not in rank order, so that another number of
// ranks or another NCCL may round otherwise (integers cannot). A NaN may be lost in a maximum. All
// work is on the default stream, ATen's and NCCL's alike, which orders them; each call waits until
// its data is there. Used by one thread at a time; Abort() from any.
#pragma once

#include <c10/core/Device.h>

#include <chrono>
#include <memory>

#include "worker/collective/communicator.h"
#include "worker/collective/line.h"
#include "worker/collective/nccl_api.h"

namespace emend::worker::collective {

struct NcclOptions {
  at::Device device;     // tensors that lie there are NCCL's
  int device_index = 0;  // CUDA's number of it
  // of each call, from when the neighbours have announced the same
  std::chrono::milliseconds call_timeout{60'000};
  // NCCL's part of forming the group, in which Abort() has nobody to call yet
  std::chrono::milliseconds form_timeout{60'000};
  NcclPaths paths = {};
};

// By all ranks together. Errors as NcclLibrary::Open, on whichever rank; kFailedPrecondition
// ("nccl_versions_differ"); kUnavailable ("group_lost") and kDeadlineExceeded
// ("collective_timeout") where the group does not form.
Result<std::unique_ptr<Communicator>> NewNcclCommunicator(std::unique_ptr<Line> line,
                                                          const NcclOptions& options);

}  // namespace emend::worker::collective
