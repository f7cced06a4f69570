// What a JobQueue keeps of each operation and of each run. Internal to coordinator/jobs.
#pragma once

#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "coordinator/jobs/job_queue.h"

namespace emend::coordinator::jobs {

struct JobQueue::Entry {
  Entry(Runtime& runtime, storage::records::Operation accepted)
      : live{std::move(accepted), {}, 0, 0, {}, 1}, changed(std::make_shared<Signal>(runtime)) {}

  bool has_ended() const { return live.operation.finished_ms != 0; }

  LiveOperation live;
  // replaced with each change: waiters keep the one they wait for
  std::shared_ptr<Signal> changed;
  std::optional<SteadyTime> deadline;  // while it has not ended
  std::optional<Status> taken_out;     // why it shall end without being carried out
  Run* run = nullptr;                  // whose member it is
  bool is_ending = false;              // its end is being written down
  Status unrecorded;                   // why that has not succeeded yet
};

struct JobQueue::Run {
  Run(JobContext& all, WorkerLease::Table& leases)
      : lease(all.workers, leases),
        context{all.runtime, all.file_system, all.store, all.journal, lease, all.layout},
        cancel(all.runtime) {}

  WorkerLease lease;
  JobContext context;                 // what its jobs work with
  std::vector<EntryPointer> members;  // of the attempt under way, in order of acceptance
  Signal cancel;                      // ends the attempt
};

}  // namespace emend::coordinator::jobs
