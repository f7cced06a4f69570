// A job: one kind of operation, from its request to what is to be stored.
//
// A job reads, calls workers and stages payloads; it changes nothing that anyone can see. What it
// wants changed it returns as an outcome, which the queue applies in one journal transaction
// together with the operation's result: all of it or nothing. A job that fails, is cancelled or is
// cut off by a crash leaves only unreferenced objects behind, and can be run again from the start.
#pragma once

#include <functional>
#include <string>

#include "coordinator/core/store_layout.h"
#include "coordinator/membership/worker_pool.h"
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
  membership::WorkerPool& workers;
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
  // May be empty; runs on the pool once the change stands, before the operation is over. A crash
  // may leave it undone: nothing but space may depend on it. A failure is logged.
  std::function<Status()> clean_up = {};
};

}  // namespace emend::coordinator::jobs
