// A job: one kind of operation, from its request to what is to be stored.
//
// A job reads, calls workers and stages payloads; it changes nothing that anyone can see. What it
// wants changed it returns as an outcome, which the queue applies in one journal transaction
// together with the operation's result: all of it or nothing. A job that fails, is cancelled or is
// cut off by a crash leaves only unreferenced objects behind, and can be run again from the start.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "coordinator/core/requests.h"
#include "coordinator/core/store_layout.h"
#include "coordinator/membership/membership.h"
#include "storage/base/file_system.h"
#include "storage/base/runtime.h"
#include "storage/records/journal.h"
#include "storage/records/operations.h"

namespace emend::coordinator::jobs {

// What every job works with; all of it outlives the jobs.
struct JobContext {
  Runtime& runtime;
  FileSystem& file_system;
  storage::kv::KvStore& store;
  storage::records::Journal& journal;
  membership::Membership& membership;
  const core::StoreLayout& layout;
};

// How the queue follows and ends a job. Used on the executor.
struct JobControl {
  std::function<void(std::string phase, std::uint64_t done, std::uint64_t total)> progress = {};
  Signal* cancel = nullptr;
  std::function<void(const worker::protocol::Piece&)> piece = {};  // of a text under way
};

struct JobOutcome {
  std::string result;  // JSON, kept in the operation
  // May be empty; runs on the pool, inside the transaction, and may replace the result by what only
  // it knows (an id that depends on the time of the transaction).
  std::function<Status(storage::records::Transaction&, std::string& result)> apply;
};

// What a job's coroutine is given, by value: it lives as long as the job.
struct JobInput {
  JobContext* context = nullptr;
  storage::records::Operation operation;
  JobControl control;
};

// The same for commits that are solved together: in order of acceptance, on one branch.
struct CommitInput {
  JobContext* context = nullptr;
  std::vector<storage::records::Operation> operations;
  std::vector<core::CommitRequest> requests;  // one an operation, no two about the same slot
  JobControl control;
};

// One coroutine a kind. Failures: kInvalidArgument, kNotFound, kFailedPrecondition, kConflict as
// the kind documents; kUnavailable ("worker_lost") and kConflict ("stale_head") are run again by
// the queue.
Awaitable<Result<JobOutcome>> RunImport(JobInput input, core::ImportRequest request);
Awaitable<Result<JobOutcome>> RunStatistics(JobInput input, core::StatisticsRequest request);
// One outcome a request, to be applied in their order: each commit's parent is the one before.
// Failures are of all of them.
Awaitable<Result<std::vector<JobOutcome>>> RunCommits(CommitInput input);
Awaitable<Result<JobOutcome>> RunRevert(JobInput input, core::RevertRequest request);
Awaitable<Result<JobOutcome>> RunEvaluation(JobInput input, core::EvaluationRequest request);
Awaitable<Result<JobOutcome>> RunVerify(JobInput input, core::VerifyRequest request);
Awaitable<Result<JobOutcome>> RunExport(JobInput input, core::ExportRequest request);
Awaitable<Result<JobOutcome>> RunFsck(JobInput input, core::FsckRequest request);

}  // namespace emend::coordinator::jobs
