// Whether a worker serves the very bytes that a state has, and what becomes of one that does not.
//
//   EMEND_CO_ASSIGN_OR_RETURN(const LiveFaults faults, co_await CheckLive(&context, &session,
//       &repository, state, manifest.roots));
//   if (!faults.empty()) ...
//
// A worker with a fault is taken out: it lets go of the base and of everything on it, and reads it
// again, checked, for whoever asks next. A fault says which rank and tile differ.
#pragma once

#include <map>
#include <string>

#include "coordinator/operations/operation.h"
#include "storage/base/digest.h"

namespace emend::coordinator::operations {

using LiveFaults = std::map<std::string, std::string>;  // what is wrong, by tensor

// `expected` are the roots that the independent rebuild has, of each tensor that the state changes.
// kDataLoss ("live_bytes_damaged") where a rank found out by itself that it computes with other
// weights than it was given; it is taken out, too. Else as the session's calls. On the executor;
// all outlive the call.
Awaitable<Result<LiveFaults>> CheckLive(JobContext* context, WorkerSession* session,
                                        const storage::history::Repository* repository,
                                        StateId state, std::map<std::string, Digest> expected);

}  // namespace emend::coordinator::operations
