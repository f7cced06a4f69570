#include "coordinator/jobs/worker_lease.h"

#include <utility>

namespace emend::coordinator::jobs {

std::vector<membership::WorkerInfo> ServingWorkers(const std::vector<membership::WorkerInfo>& workers) {
  std::map<std::string, std::int32_t> ranks;
  for (const membership::WorkerInfo& worker : workers) {
    if (worker.state == membership::WorkerState::kConnected) ++ranks[worker.group];
  }
  std::vector<membership::WorkerInfo> serving;
  for (const membership::WorkerInfo& worker : workers) {
    const bool is_whole = worker.world_size == 1 || ranks[worker.group] == worker.world_size;
    if (worker.state == membership::WorkerState::kConnected && worker.rank == 0 && is_whole) serving.push_back(worker);
  }
  return serving;
}

std::vector<WorkerId> WorkerLease::Spare(const BaseId& base) const {
  std::vector<WorkerId> spare = all_.Spare(base);
  std::erase_if(spare, [this](const WorkerId& worker) { return table_.contains(worker); });
  return spare;
}

void WorkerLease::GiveBack() {
  std::erase_if(table_, [this](const auto& lease) { return lease.second == this; });
}

std::optional<WorkerId> WorkerLease::FindFree(const BaseId& base) const {
  for (const WorkerId& worker : Spare(base)) {
    if (!had_.contains(worker)) return worker;
  }
  std::optional<WorkerId> found;
  const std::vector<membership::WorkerInfo> serving = ServingWorkers(all_.Workers());
  for (const membership::WorkerInfo& worker : serving) {
    if (table_.contains(worker.worker)) continue;
    if (!had_.contains(worker.worker)) return worker.worker;
    // A group that is whole may not be formed yet: one that failed this run is not tried again and again.
    if (worker.world_size == 1) found = worker.worker;
  }
  return found;
}

Awaitable<Result<WorkerId>> WorkerLease::Pick(BaseId base, StateId state, SteadyTime deadline) {
  EMEND_CO_ASSIGN_OR_RETURN(WorkerId picked, co_await all_.Pick(base, state, deadline));
  GiveBack();
  if (table_.contains(picked)) {
    if (std::optional<WorkerId> other = FindFree(base)) picked = std::move(*other);
  }
  table_.emplace(picked, this);  // unless it is shared
  had_.insert(picked);
  co_return picked;
}

}  // namespace emend::coordinator::jobs
