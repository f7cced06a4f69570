#include "coordinator/jobs/worker_lease.h"

#include <utility>

namespace emend::coordinator::jobs {

std::vector<WorkerId> WorkerLease::Spare(const BaseId& base) const {
  std::vector<WorkerId> spare = all_.Spare(base);
  std::erase_if(spare, [this](const WorkerId& worker) { return table_.contains(worker); });
  return spare;
}

void WorkerLease::GiveBack() {
  std::erase_if(table_, [this](const auto& lease) { return lease.second == this; });
}

std::optional<WorkerId> WorkerLease::FindFree(const membership::Wanted& wanted) const {
  for (const WorkerId& worker : Spare(wanted.base)) {
    if (!had_.contains(worker)) return worker;
  }
  std::optional<WorkerId> found;
  const std::vector<membership::WorkerInfo> serving = membership::Serving(all_.Workers());
  for (const membership::WorkerInfo& worker : serving) {
    if (table_.contains(worker.worker)) continue;
    found = worker.worker;
    if (!had_.contains(worker.worker)) break;  // rather than one that failed this run
  }
  return found;
}

Awaitable<Result<WorkerId>> WorkerLease::Pick(membership::Wanted wanted, SteadyTime deadline) {
  EMEND_CO_ASSIGN_OR_RETURN(WorkerId picked, co_await all_.Pick(wanted, deadline));
  GiveBack();
  if (table_.contains(picked)) {
    if (std::optional<WorkerId> other = FindFree(wanted)) picked = std::move(*other);
  }
  table_.emplace(picked, this);  // unless it is shared
  had_.insert(picked);
  co_return picked;
}

}  // namespace emend::coordinator::jobs
