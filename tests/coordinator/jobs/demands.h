// Operations and what they demand, as the scheduler sees them.
#pragma once

#include <string>

#include "coordinator/jobs/scheduler.h"

namespace emend::coordinator::jobs {

inline OperationId Id(int number) {
  const std::string digits = std::to_string(number);
  return OperationId("op-" + std::string(16 - digits.size(), '0') + digits);
}

inline Demand Commit(const std::string& repo, const std::string& branch, std::uint64_t cost = 10) {
  Demand demand;
  demand.role = Role::kEdits;
  demand.pool = Pool::kWorkers;
  demand.repo = repo;
  demand.branch = branch;
  demand.cost = cost;
  demand.facts = cost;
  return demand;
}
inline Demand With(Role role, Pool pool, const std::string& repo) {
  Demand demand;
  demand.role = role;
  demand.pool = pool;
  demand.repo = repo;
  return demand;
}
inline Demand Revert(const std::string& repo, const std::string& branch) {
  Demand demand = With(Role::kReverts, Pool::kLocal, repo);
  demand.branch = branch;
  return demand;
}
inline Demand Statistics(const std::string& repo) {
  return With(Role::kPrepares, Pool::kWorkers, repo);
}
inline Demand Import(const std::string& repo) { return With(Role::kImports, Pool::kFiles, repo); }
inline Demand Export(const std::string& repo) { return With(Role::kReads, Pool::kFiles, repo); }
inline Demand Removal(const std::string& repo) { return With(Role::kRemoves, Pool::kFiles, repo); }
inline Demand Fsck() { return With(Role::kReads, Pool::kLocal, ""); }
inline Demand Evaluation(const std::string& repo) {
  return With(Role::kReads, Pool::kWorkers, repo);
}

}  // namespace emend::coordinator::jobs
