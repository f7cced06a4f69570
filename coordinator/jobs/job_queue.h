// The queue of accepted operations: runs them as the scheduler says, several at once, and records
// how they ended.
//
// An operation's end is one journal transaction: what the job wants changed, and the operation with
// its result or its reason. Until then it stays accepted in the store, so that after a restart it
// is run again, and nobody is told that it ended: where its end cannot be written down, it is tried
// until it can. A job that lost its worker, or a branch that moved under it, is run again whole,
// kAttemptsMax times in all. Every operation ends exactly once.
//
// Commits that the scheduler starts together are one job and one transaction. If one of them is
// cancelled or its time is up, it leaves and the rest are solved again; if the job fails, its
// members are run one by one, so that none fails for what another asked.
//
//   JobQueue queue(context, operations::Kinds());
//   queue.Start(unfinished);                                            // as read from the store
//   EMEND_CO_ASSIGN_OR_RETURN(const JobQueue::Place place, queue.Admit(repo));
//   // accepted and durable meanwhile
//   queue.Push(operation, demand);
//
// Used on the executor only. Bounds: kQueueMax operations wait, kQueueOfRepoMax of them of one
// repo; as many that need a worker run as workers serve, each on one of its own (one if none
// serves, so that it can say what it waits for), kLocalRunsMax that need none, and one import or
// export.
#pragma once

#include <deque>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "coordinator/jobs/job.h"
#include "coordinator/jobs/operation_kind.h"
#include "coordinator/jobs/scheduler.h"
#include "coordinator/jobs/worker_lease.h"

namespace emend::coordinator::jobs {

inline constexpr std::size_t kQueueMax = 1024;
inline constexpr std::size_t kQueueOfRepoMax = kQueueMax / 2;
// reverts and fsck; fewer than the pool has threads, since they may keep one each for minutes
inline constexpr std::size_t kLocalRunsMax = 3;
inline constexpr int kAttemptsMax = 3;

// The live side of an operation: what has not ended, and what ended since the start (the last
// kKeptMax). Without its request, which may be large and is read from the store when it is run.
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
  // Room for one operation, kept until it dies: from before the operation is accepted until it is
  // pushed.
  class Place {
   public:
    Place(JobQueue& queue, std::string repo);
    Place(Place&& other) noexcept
        : queue_(std::exchange(other.queue_, nullptr)), repo_(std::move(other.repo_)) {}
    Place& operator=(Place&&) = delete;
    ~Place();

   private:
    JobQueue* queue_;
    std::string repo_;
  };

  // `kinds` are those it may be given; they and the context outlive it.
  JobQueue(JobContext& context, OperationKinds kinds);

  // Blocks: reads the requests of `unfinished`.
  void Start(std::vector<storage::records::Operation> unfinished);
  // Ends what runs without recording an end (it is run again at the next start), and joins; false
  // if it did not end in time.
  Awaitable<bool> Stop();

  // kResourceExhausted ("queue_full") if too many wait, in all or of this repo.
  Result<Place> Admit(const std::string& repo);
  void Push(storage::records::Operation operation, Demand demand);

  // Null if the operation neither waits, runs, nor ended lately.
  const LiveOperation* Find(const OperationId& id) const;
  // How many are before each that waits, as Scheduler::Places.
  std::map<OperationId, std::size_t> Places() const { return scheduler_.Places(Now()); }
  // Returns once the operation's version is beyond `version`, or at the deadline.
  Awaitable<void> WaitForChange(OperationId id, std::uint64_t version, SteadyTime deadline);
  // Ends a waiting operation, on record before this returns, or tells the running one to end, which
  // may come too late. kFailedPrecondition ("operation_ended"), kNotFound, and what kept the end
  // from being recorded yet.
  Awaitable<Status> Cancel(OperationId id);

 private:
  struct Entry;
  struct Run;
  using EntryPointer = std::shared_ptr<Entry>;
  using RunPointer = std::shared_ptr<Run>;

  Awaitable<Status> RunAll();
  void StartReady();
  // Those whose time is up: waiting ones end, running ones are told to.
  Awaitable<void> EndOverdue();
  // When RunAll looks again though nobody woke it: at the next deadline, and soon while something
  // waits, since a worker may have come.
  SteadyTime NextLook() const;

  // What was started together, to its end.
  Awaitable<Status> RunMembers(RunPointer run);
  // The members as one job, again where that may help, until they have ended or left. What it
  // returns is how those end that are still there.
  Awaitable<Status> RunTogether(RunPointer run);
  Awaitable<void> RunOneByOne(RunPointer run, std::vector<EntryPointer> members);
  Awaitable<Result<Outcomes>> Attempt(RunPointer run);
  Awaitable<Status> Finish(RunPointer run, Outcomes outcomes);
  Awaitable<void> CleanUp(Outcomes outcomes);
  // Members that shall end without being carried out leave the run, and end.
  Awaitable<void> TakeOut(RunPointer run);
  static void SetMembers(Run& run, std::vector<EntryPointer> members);

  // It shall end without being carried out: at once if it waits, in the queue or behind others that
  // it was separated from; what runs is told to.
  Awaitable<Status> LetGo(EntryPointer entry, Status why);
  // Ends it as failed, or as cancelled if its caller wished it. If that cannot be recorded now,
  // returns why, and goes on trying. Nothing if it is ending already.
  Awaitable<Status> EndUndone(EntryPointer entry, Status failure);
  // The end that stands in the store then: an earlier one may, though it was reported as failed.
  Awaitable<Result<storage::records::Operation>> RecordUndone(
      storage::records::Operation ended) const;
  // Tries those that could not be recorded, one after the other, until none is left: a full disk
  // refuses all alike.
  Awaitable<Status> RecordLater();
  void SetPhase(Entry& entry, const std::string& phase, std::uint64_t done, std::uint64_t total);
  // Of an operation as it is stored.
  Demand DemandOfStored(const storage::records::Operation& operation) const;
  Result<std::vector<std::shared_ptr<const OperationRequest>>> ReadRequests(
      const std::vector<storage::records::Operation>& operations) const;
  // Writes it over the stored one, whose request it keeps. kFailedPrecondition ("operation_ended")
  // if that has ended. Runs on the pool.
  Status Replace(storage::records::Transaction& transaction, storage::records::Operation operation,
                 const char* event) const;
  void Changed(Entry& entry);
  void KeepEnded(Entry& entry);
  SteadyTime Now() const { return context_.runtime.clock().Now(); }
  // The moment on the steady clock that is this one on the wall's.
  SteadyTime Steady(std::int64_t wall_ms) const;

  JobContext& context_;
  const OperationKinds kinds_;
  TaskGroup tasks_;
  Signal work_;
  Signal stop_;
  Scheduler scheduler_;
  WorkerLease::Table leases_;
  std::set<RunPointer> runs_;
  std::map<std::string, EntryPointer> entries_;  // by operation id
  std::deque<std::string> ended_;                // oldest first
  // Ends that are not on record yet, oldest first. RecordLater() runs while there are some.
  std::deque<std::pair<EntryPointer, storage::records::Operation>> unrecorded_;
  std::map<std::string, std::size_t> admitted_;  // places held, by repo
  std::size_t admitted_count_ = 0;
};

}  // namespace emend::coordinator::jobs
