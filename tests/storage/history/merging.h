// How two branches are merged, the slow way, by its definition: what merge.h is held to.
#pragma once

#include <algorithm>
#include <limits>
#include <map>
#include <set>
#include <vector>

#include "storage/history/set_algebra.h"

namespace emend::storage::history::test {

// ancestor − removed(A) − removed(B) + added(A) + added(B), both against the ancestor: what one
// side took out stays out, even where the other kept it. Sorted; symmetric in a and b. REQUIRES:
// all sorted.
inline std::vector<EditId> Merge(const std::vector<EditId>& ancestor, const std::vector<EditId>& a,
                                 const std::vector<EditId>& b) {
  const objects::EditSetDiff in_a = DiffOf(ancestor, a), in_b = DiffOf(ancestor, b);
  std::set<EditId> merged(ancestor.begin(), ancestor.end());
  for (const objects::EditSetDiff* diff : {&in_a, &in_b}) {
    for (const EditId& id : diff->removed) merged.erase(id);
    merged.insert(diff->added.begin(), diff->added.end());
  }
  return {merged.begin(), merged.end()};
}

// Every commit that `from` has come from, itself included.
inline Result<std::map<CommitId, objects::Commit>> Ancestors(const Repository& repo,
                                                             const CommitId& from) {
  EMEND_ASSIGN_OR_RETURN(const std::vector<NumberedCommit> log,
                         repo.Log(from, std::numeric_limits<std::size_t>::max()));
  std::map<CommitId, objects::Commit> ancestors;
  for (const auto& [id, commit] : log) ancestors.emplace(id, commit);
  return ancestors;
}

inline Result<bool> IsAncestor(const Repository& repo, const CommitId& ancestor,
                               const CommitId& descendant) {
  EMEND_ASSIGN_OR_RETURN(const auto ancestors, Ancestors(repo, descendant));
  return ancestors.contains(ancestor);
}

// The best common ancestor: one that no other common ancestor descends from. Where there are
// several, the newest, then the one with the smallest id. kNotFound if there is none.
inline Result<CommitId> SlowMergeBase(const Repository& repo, const CommitId& a,
                                      const CommitId& b) {
  EMEND_ASSIGN_OR_RETURN(const auto from_a, Ancestors(repo, a));
  EMEND_ASSIGN_OR_RETURN(auto common, Ancestors(repo, b));
  std::erase_if(common, [&](const auto& entry) { return !from_a.contains(entry.first); });
  std::set<CommitId> parents;
  for (const auto& [id, commit] : common)
    parents.insert(commit.parents.begin(), commit.parents.end());
  const std::pair<const CommitId, objects::Commit>* best = nullptr;
  for (const auto& entry : common) {
    if (!parents.contains(entry.first) && (!best || entry.second.time_ms > best->second.time_ms))
      best = &entry;
  }
  if (best == nullptr) return NotFound("the commits share no history");
  return best->first;
}

}  // namespace emend::storage::history::test
