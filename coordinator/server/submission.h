// Accepting an operation: everything that is checked before it is stored, and the one transaction
// that stores it.
#pragma once

#include "coordinator/jobs/operation_kind.h"
#include "coordinator/server/service.h"

namespace emend::coordinator::server {

// The operation that this submission's idempotency key began before, if any: looked for before all
// but the scope, since what a repetition finds (the repo that it created, a full queue) must not
// refuse it. Blocks; runs on the pool.
Result<std::optional<storage::records::Operation>> FindBegun(storage::kv::KvStore& store,
                                                             const Caller& caller,
                                                             const Submission& submission);

// Kind, body, settings, and that repo, branch, revision and folder are as they must be: what can be
// refused without running anything. What it asks of the scheduler. Blocks; runs on the pool.
Result<jobs::Demand> CheckSubmission(jobs::JobContext& context, const Submission& submission);

// The accepted operation, durable together with its idempotency key; or the operation that the key
// began before. Blocks; runs on the pool.
struct Accepted {
  storage::records::Operation operation;
  bool is_new = false;
};
Result<Accepted> AcceptSubmission(storage::records::Journal& journal, storage::kv::KvStore& store,
                                  const Caller& caller, const Submission& submission);

}  // namespace emend::coordinator::server
