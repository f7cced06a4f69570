// The queue of accepted operations: runs them one at a time, in order of acceptance, and records how they ended.
//
// An operation's end is one journal transaction: what the job wants changed, and the operation with its result or its reason. Until then it stays accepted in
// the store, so that after a restart it is run again. A job that lost its worker, or a branch that moved under it, is run again whole, kAttemptsMax times in
// all.
//
//   JobQueue queue(context);
//   queue.Start(unfinished);                        // as read from the store
//   queue.Push(operation);                          // accepted and durable
//
// Used on the executor only. Bound: kQueueMax operations wait; the caller checks waiting() before it accepts another.
#pragma once

#include <deque>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "coordinator/jobs/job.h"

namespace emend::coordinator::jobs {

inline constexpr std::size_t kQueueMax = 1024;
inline constexpr int kAttemptsMax = 3;

// The live side of an operation: what has not ended, and what ended since the start (the last kKeptMax). Without its request, which may be large and is read
// from the store when it is run.
struct LiveOperation {
  storage::records::Operation operation;
  std::string phase;
  std::uint64_t done = 0;
  std::uint64_t total = 0;
  SteadyTime phase_begin;
  std::uint64_t version = 1;
};

class JobQueue {
 public:
  explicit JobQueue(JobContext& context);

  void Start(std::vector<storage::records::Operation> unfinished);
  // Ends what runs without recording an end (it is run again at the next start), and joins; false if it did not end in time.
  Awaitable<bool> Stop();

  void Push(storage::records::Operation operation);
  std::size_t waiting() const { return waiting_.size(); }

  // Null if the operation neither waits, runs, nor ended lately.
  const LiveOperation* Find(const OperationId& id) const;
  // Returns once the operation's version is beyond `version`, or at the deadline.
  Awaitable<void> WaitForChange(OperationId id, std::uint64_t version, SteadyTime deadline);
  // Ends a waiting operation, on record before this returns, or tells the running one to end, which may come too late. kFailedPrecondition
  // ("operation_ended"), kNotFound.
  Awaitable<Status> Cancel(OperationId id);

 private:
  struct Entry;

  Awaitable<Status> RunAll();
  Awaitable<void> RunOne(std::shared_ptr<Entry> entry);
  Awaitable<Result<JobOutcome>> Attempt(std::shared_ptr<Entry> entry);
  // Runs the job and applies its outcome, again if that may help; what it returns is how the operation ends.
  Awaitable<Status> RunWithRetries(std::shared_ptr<Entry> entry);
  Awaitable<Status> Finish(std::shared_ptr<Entry> entry, JobOutcome outcome);
  Awaitable<void> RecordFailure(std::shared_ptr<Entry> entry, Status failure);
  // Writes it over the stored one, whose request it keeps. Runs on the pool.
  Status Replace(storage::records::Transaction& transaction, storage::records::Operation operation, const char* event) const;
  void Changed(Entry& entry);
  void KeepEnded(const Entry& entry);
  static Status Cancelled() { return {StatusCode::kCancelled, "it was cancelled by its caller"}; }

  JobContext& context_;
  TaskGroup tasks_;
  Signal work_;
  Signal stop_;
  std::deque<std::shared_ptr<Entry>> waiting_;
  std::shared_ptr<Entry> running_;
  std::map<std::string, std::shared_ptr<Entry>> entries_;  // by operation id
  std::deque<std::string> ended_;                          // oldest first
};

}  // namespace emend::coordinator::jobs
