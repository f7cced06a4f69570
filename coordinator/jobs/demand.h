// Demand: what the scheduler must know of an operation, read off its request once, when it is
// accepted or taken up again. Pure functions and values.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "coordinator/core/requests.h"
#include "storage/base/digest.h"

namespace emend::coordinator::jobs {

// What an operation does to its repo, which decides whom it must follow.
enum class Role { kReads, kImports, kCounts, kEdits, kReverts };

// What an operation occupies while it runs: a worker; only this process and the store; a model's
// folder, which it writes.
enum class Pool { kWorkers, kLocal, kFiles };

struct Demand {
  Role role = Role::kReads;
  Pool pool = Pool::kLocal;
  std::string repo;        // empty: all of the store
  std::string branch;      // that it moves; empty: none
  std::uint64_t cost = 1;  // an estimate, in facts solved
  // Of commits: those with the same key and different slots can be solved as one.
  std::optional<Digest> key;
  std::size_t facts = 0;
  // hashes, sorted: two of the same number are taken for the same slot, which costs a solve, not a
  // result
  std::vector<std::uint64_t> slots;
};

Demand DemandOf(const std::string& repo, const core::OperationRequest& request);

}  // namespace emend::coordinator::jobs
