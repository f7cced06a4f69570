// Demand: what the scheduler must know of an operation, read off its request once, when it is
// accepted or taken up again. A value.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "storage/base/digest.h"

namespace emend::coordinator::jobs {

// What an operation does to its repo, which decides whom it must follow. What prepares
// (covariances, a preset) is what later commits are solved with.
enum class Role { kReads, kImports, kPrepares, kEdits, kReverts, kRemoves };

// What an operation occupies while it runs: a worker; only this process and the store; a model's
// folder, which it writes.
enum class Pool { kWorkers, kLocal, kFiles };

// Costs, in facts solved. Rough: they only weigh repos against each other.
inline constexpr std::uint64_t kStatisticsCost = 1000;
inline constexpr std::uint64_t kWholeModelCost = 100;
inline constexpr std::uint64_t kRevertCost = 10;

struct Demand {
  Role role = Role::kReads;
  Pool pool = Pool::kLocal;
  std::uint64_t cost = 1;
  std::string repo = {};    // empty: all of the store
  std::string branch = {};  // that it moves; empty: none
  // Of commits: those with the same key and different slots can be solved as one.
  std::optional<Digest> key = {};
  std::size_t facts = 0;
  // hashes, sorted: two of the same number are taken for the same slot, which costs a solve, not a
  // result
  std::vector<std::uint64_t> slots = {};
};

}  // namespace emend::coordinator::jobs
