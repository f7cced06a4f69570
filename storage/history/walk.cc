#include <algorithm>
#include <map>
#include <set>

#include "storage/history/repository.h"

namespace emend::storage::history {
namespace {

struct CommitLinks {
  std::vector<CommitId> parents;
  std::int64_t time_ms = 0;
};
using CommitGraph = std::map<CommitId, CommitLinks>;

// Every commit that is reachable from `from`, those included. Costs one read for each.
Result<CommitGraph> ReachableFrom(const objects::ObjectStore& objects,
                                  const std::vector<CommitId>& from) {
  CommitGraph graph;
  std::vector<CommitId> todo = from;
  while (!todo.empty()) {
    const CommitId id = todo.back();
    todo.pop_back();
    if (graph.contains(id)) continue;
    EMEND_ASSIGN_OR_RETURN(const objects::Commit commit, objects.ReadCommit(id));
    graph[id] = {commit.parents, commit.time_ms};
    todo.insert(todo.end(), commit.parents.begin(), commit.parents.end());
  }
  return graph;
}

// Commits in the order of Log. While one commit alone is open, everything else that is left is
// behind it and nothing needs to be known but that; from the first time that several are open, the
// number of unvisited children is counted for all that is left.
class LogOrder {
 public:
  explicit LogOrder(const objects::ObjectStore& objects) : objects_(objects) {}

  Status Start(const CommitId& from) { return Open(from); }
  bool done() const { return open_.empty(); }

  // The next commit. REQUIRES: !done().
  Result<NumberedCommit> Next() {
    if (open_.size() > 1 && !counted_) EMEND_RETURN_IF_ERROR(CountChildren());
    const NumberedCommit next = std::move(open_.begin()->second);
    open_.erase(open_.begin());
    for (const CommitId& parent :
         std::set<CommitId>(next.commit.parents.begin(), next.commit.parents.end())) {
      if (counted_ && --children_left_[parent] > 0) continue;
      EMEND_RETURN_IF_ERROR(Open(parent));
    }
    return next;
  }

 private:
  // Newest first, then by id, so that the order never depends on anything else.
  struct Newest {
    bool operator()(const std::pair<std::int64_t, CommitId>& a,
                    const std::pair<std::int64_t, CommitId>& b) const {
      return a.first != b.first ? a.first > b.first : a.second < b.second;
    }
  };

  Status Open(const CommitId& id) {
    EMEND_ASSIGN_OR_RETURN(objects::Commit commit, objects_.ReadCommit(id));
    const std::int64_t time_ms = commit.time_ms;
    open_.emplace(std::pair(time_ms, id), NumberedCommit{id, std::move(commit)});
    return OkStatus();
  }

  Status CountChildren() {
    std::vector<CommitId> from;
    for (const auto& [key, opened] : open_) from.push_back(opened.id);
    EMEND_ASSIGN_OR_RETURN(const CommitGraph graph, ReachableFrom(objects_, from));
    for (const auto& [id, links] : graph) {
      for (const CommitId& parent : std::set<CommitId>(links.parents.begin(), links.parents.end()))
        ++children_left_[parent];
    }
    counted_ = true;
    // opened too early: a child is still to come
    std::erase_if(open_,
                  [this](const auto& entry) { return children_left_.contains(entry.second.id); });
    return OkStatus();
  }

  const objects::ObjectStore& objects_;
  std::map<std::pair<std::int64_t, CommitId>, NumberedCommit, Newest> open_;
  bool counted_ = false;
  std::map<CommitId, std::size_t> children_left_;  // once counted
};

}  // namespace

Result<std::vector<NumberedCommit>> Repository::Log(const CommitId& from,
                                                    std::size_t count_max) const {
  std::vector<NumberedCommit> log;
  LogOrder order(objects_);
  EMEND_RETURN_IF_ERROR(order.Start(from));
  while (!order.done() && log.size() < count_max) {
    EMEND_ASSIGN_OR_RETURN(NumberedCommit next, order.Next());
    log.push_back(std::move(next));
  }
  return log;
}

Result<std::map<EditId, NumberedCommit>> Repository::AddedBy(
    const CommitId& from, const std::vector<EditId>& edits) const {
  std::map<EditId, NumberedCommit> added_by;
  LogOrder order(objects_);
  EMEND_RETURN_IF_ERROR(order.Start(from));
  const std::set<EditId> wanted(edits.begin(), edits.end());
  while (!order.done() && added_by.size() < wanted.size()) {
    EMEND_ASSIGN_OR_RETURN(const NumberedCommit next, order.Next());
    if (next.commit.parents.size() > 1) continue;
    for (const EditId& id : wanted) {
      if (std::ranges::binary_search(next.commit.added, id)) added_by.try_emplace(id, next);
    }
  }
  return added_by;
}

}  // namespace emend::storage::history
