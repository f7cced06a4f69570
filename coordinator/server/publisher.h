// Publisher: tells workers what they may answer without emendd, for the gateways that ask them:
// names, commits, and the tokens that may ask.
//
// Every change of a ref or token is in the audit chain: when its head has moved, what there is is
// read again, and published to each worker that serves. Where a gateway asks, the worker first gets
// the states live that the first names stand for (the branch "main" of each repo, other branches,
// tags), of the base that it holds, or of the first repo if it holds none; and again should they be
// displaced. Used on the runtime's executor only.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>

#include "coordinator/jobs/job.h"
#include "storage/history/repository.h"

namespace emend::coordinator::server {

class Publisher {
 public:
  // `context` must outlive it.
  explicit Publisher(jobs::JobContext& context)
      : context_(context), tasks_(context.runtime), stop_(context.runtime) {}
  void Start() { tasks_.Spawn("publish", Watch()); }
  // What waits for a worker ends; false if it did not in time.
  Awaitable<bool> Stop();

 private:
  using SharedRepository = std::shared_ptr<const storage::history::Repository>;
  // What was read of the store as of an audit sequence.
  struct Names {
    worker::protocol::Publication publication;
    std::map<StateId, SharedRepository> repositories;  // whose edits make the state
  };
  struct Told {
    std::uint64_t generation = 0;  // of the worker's group
    std::uint64_t sequence = 0;
    SteadyTime when;
    Status last;       // what became of it
    int failures = 0;  // in a row
    bool has_gateway = false;
    bool under_way = false;
  };

  Result<std::shared_ptr<const Names>> ReadNames() const;
  using Ranked = std::pair<int, worker::protocol::PublishedRef>;  // the lower, the sooner
  Status ReadRepo(const storage::history::RepoRecord& record, Names& names,
                  std::vector<Ranked>& refs) const;
  // Reads them if something has happened since they were read last.
  Awaitable<Status> Refresh();
  Awaitable<Status> Watch();
  bool IsDue(const membership::WorkerInfo& worker) const;
  Awaitable<Status> Tell(membership::WorkerInfo worker, std::shared_ptr<const Names> names);
  // Until nothing is missing, or it makes no progress.
  Awaitable<Result<worker::protocol::PublishReply>> PublishTo(WorkerId worker,
                                                              std::shared_ptr<const Names> names);

  jobs::JobContext& context_;
  TaskGroup tasks_;
  Signal stop_;
  std::shared_ptr<const Names> names_;  // null before the first
  std::uint64_t read_at_ = 0;           // audit sequence as of which they still hold
  std::map<WorkerId, Told> told_;
};

}  // namespace emend::coordinator::server
