// Walks over the graph of commits. Inside storage/history only; callers use Repository and
// set_algebra.h.
#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <vector>

#include "storage/objects/object_store.h"

namespace emend::storage::history {

struct CommitLinks {
  std::vector<CommitId> parents;
  std::int64_t time_ms = 0;
};
using CommitGraph = std::map<CommitId, CommitLinks>;

// Every commit that is reachable from `from`, those included. Costs one read for each.
Result<CommitGraph> ReachableFrom(const objects::ObjectStore& objects,
                                  const std::vector<CommitId>& from);

}  // namespace emend::storage::history
