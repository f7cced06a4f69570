// WorkerLease: the pool of workers as one run of the queue sees it. It is the whole, but for Pick,
// which gives the run a worker that no other run has: two solves on one worker would wait for each
// other, and where they are of two repos, displace each other's base with every call.
//
//   WorkerLease::Table table;
//   WorkerLease lease(pool, table);                  // as a job's JobContext::workers
//
// Where there are fewer workers than runs (some were lost since these were started) workers are
// shared. Questions do not ask the table. Used on the executor; the pool and the table outlive
// it. The worker is given back when it dies.
#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "coordinator/membership/worker_pool.h"

namespace emend::coordinator::jobs {

class WorkerLease final : public membership::WorkerPool {
 public:
  using Table = std::map<WorkerId, const WorkerLease*>;

  WorkerLease(membership::WorkerPool& all, Table& table) : all_(all), table_(table) {}
  ~WorkerLease() override { GiveBack(); }

  // The one that the whole would pick if it is free, else another free one, one that is spare for
  // the base if there is, else that one all the same. Called again, it gives back the one it had.
  Awaitable<Result<WorkerId>> Pick(membership::Wanted wanted, SteadyTime deadline) override;

  // Without those that other runs have.
  std::vector<WorkerId> Spare(const BaseId& base) const override;

  Awaitable<Result<worker::protocol::ReplyBody>> Call(worker::protocol::RequestBody request,
                                                      membership::CallOptions options) override {
    return all_.Call(std::move(request), std::move(options));
  }
  std::vector<membership::WorkerInfo> Workers() const override { return all_.Workers(); }

 private:
  void GiveBack();
  std::optional<WorkerId> FindFree(const membership::Wanted& wanted) const;

  membership::WorkerPool& all_;
  Table& table_;
  std::set<WorkerId> had_;  // so far
};

}  // namespace emend::coordinator::jobs
