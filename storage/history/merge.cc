#include "storage/history/merge.h"

#include <algorithm>
#include <iterator>
#include <limits>
#include <optional>
#include <set>
#include <utility>

#include "storage/history/set_algebra.h"

namespace emend::storage::history {
namespace {

// Commits of two lines, newest first, each marked by the lines that it is in, until only common
// ones with nothing new behind them are left.
class Meeting {
 public:
  explicit Meeting(const Repository& repo) : repo_(repo) {}

  Status Start(const CommitId& a, const CommitId& b) {
    EMEND_RETURN_IF_ERROR(Mark(a, kInA));
    return Mark(b, kInB);
  }

  // The best of what both have, newest first.
  Result<std::vector<CommitId>> Run() {
    std::vector<CommitId> common;
    while (!open_.empty() && IsAnythingNew()) {
      const auto [order, next] = *open_.begin();
      open_.erase(open_.begin());
      Place& place = places_.at(next);
      unsigned marks = place.marks;
      if (marks != (kInBoth | kPassed)) oldest_ = std::max(oldest_, order);
      if ((marks & kInBoth) == kInBoth) {
        if ((marks & kPassed) == 0) common.push_back(next);
        marks |= kPassed;  // what it descends from is common, too, and not the best
      }
      const std::vector<CommitId> parents = place.commit.parents;
      for (const CommitId& parent : parents) EMEND_RETURN_IF_ERROR(Mark(parent, marks));
    }
    return BestOf(common);
  }

  // After Run.
  std::vector<NumberedCommit> OnlyInA() const {
    std::vector<NumberedCommit> commits;
    for (const auto& [id, place] : places_) {
      if (place.marks == kInA) commits.push_back({id, place.commit});
    }
    return commits;
  }

 private:
  static constexpr unsigned kInA = 1, kInB = 2, kInBoth = 3, kPassed = 4;
  struct Place {
    unsigned marks = 0;
    objects::Commit commit;
  };

  // Among the open ones; those that are as old as one that was new count, too: it may be theirs.
  bool IsAnythingNew() const {
    return open_.begin()->first <= oldest_ ||
           std::ranges::any_of(open_, [&](const auto& one) { return !IsPassed(one.second); });
  }
  bool IsPassed(const CommitId& id) const { return (places_.at(id).marks & kPassed) != 0; }

  Status Mark(const CommitId& id, unsigned marks) {
    const auto [found, is_new] = places_.try_emplace(id);
    Place& place = found->second;
    if (!is_new && (place.marks | marks) == place.marks) return OkStatus();
    if (is_new) {
      EMEND_ASSIGN_OR_RETURN(place.commit, repo_.ReadCommit(id));
    }
    place.marks |= marks;
    open_.insert(OrderOf(id));
    return OkStatus();
  }

  // Newest first. One that was found before a commit that descends from it is passed by now.
  std::vector<CommitId> BestOf(std::vector<CommitId> common) const {
    std::erase_if(common, [this](const CommitId& id) { return IsPassed(id); });
    std::ranges::sort(common, {}, [this](const CommitId& id) { return OrderOf(id); });
    return common;
  }

  std::pair<std::int64_t, CommitId> OrderOf(const CommitId& id) const {
    return {-places_.at(id).commit.time_ms, id};
  }

  const Repository& repo_;
  std::map<CommitId, Place> places_;
  std::set<std::pair<std::int64_t, CommitId>> open_;  // newest first
  // the order of the oldest that was not passed
  std::int64_t oldest_ = std::numeric_limits<std::int64_t>::min();
};

using Ids = std::vector<EditId>;

// Of several edits in one slot, as stacked ones are, all.
struct Held {
  std::vector<EditId> edits;
  std::set<std::string> targets;
};
Result<std::map<objects::Slot, Held>> SlotsOf(const Repository& repo, const Ids& ids) {
  std::map<objects::Slot, Held> slots;
  for (const EditId& id : ids) {
    EMEND_ASSIGN_OR_RETURN(const objects::Edit edit, repo.objects().ReadEdit(id));
    for (const objects::Fact& fact : edit.facts) {
      Held& held = slots[objects::SlotOf(fact)];
      held.edits.push_back(id);
      held.targets.insert(fact.target);
    }
  }
  return slots;
}

void Insert(Ids& ids, const EditId& id) {
  const auto place = std::ranges::lower_bound(ids, id);
  if (place == ids.end() || *place != id) ids.insert(place, id);
}

std::optional<Side> SideFor(const Held& ours, const Held& theirs, const Decisions& decisions) {
  if (ours.targets == theirs.targets) return Side::kOurs;
  for (const Held* held : {&theirs, &ours}) {
    for (const EditId& edit : held->edits) {
      const auto decided = decisions.decided.find(edit);
      if (decided != decisions.decided.end()) return decided->second;
    }
  }
  return decisions.otherwise;
}

// Settles the slots into which both sides have put edits of their own.
Status Settle(const Repository& repo, const Ids& ours, const Ids& theirs,
              const Decisions& decisions, MergePlan& plan) {
  if (ours.empty() || theirs.empty()) return OkStatus();
  EMEND_ASSIGN_OR_RETURN(const auto our_slots, SlotsOf(repo, ours));
  EMEND_ASSIGN_OR_RETURN(const auto their_slots, SlotsOf(repo, theirs));
  for (const auto& [slot, held] : their_slots) {
    const auto found = our_slots.find(slot);
    if (found == our_slots.end()) continue;
    const std::optional<Side> side = SideFor(found->second, held, decisions);
    if (!side) plan.conflicts.push_back({slot, found->second.edits.front(), held.edits.front()});
    if (side == Side::kOurs) {
      for (const EditId& edit : held.edits) std::erase(plan.added, edit);
    } else if (side == Side::kTheirs) {
      for (const EditId& edit : found->second.edits) Insert(plan.removed, edit);
    }
  }
  return OkStatus();
}

// What a side has changed since it parted from the other: added are the edits that none of the
// ancestors has, removed those that one of them has and it has not. Several ancestors are of
// histories that merged each other.
Result<objects::EditSetDiff> ChangeSince(const Repository& repo,
                                         const std::vector<CommitId>& ancestors,
                                         const StateId& state) {
  std::optional<objects::EditSetDiff> all;
  for (const CommitId& id : ancestors) {
    EMEND_ASSIGN_OR_RETURN(const objects::Commit ancestor, repo.ReadCommit(id));
    EMEND_ASSIGN_OR_RETURN(objects::EditSetDiff diff, repo.Diff(ancestor.state, state));
    if (!all) {
      all = std::move(diff);
      continue;
    }
    objects::EditSetDiff both;
    std::ranges::set_intersection(all->added, diff.added, std::back_inserter(both.added));
    std::ranges::set_union(all->removed, diff.removed, std::back_inserter(both.removed));
    all = std::move(both);
  }
  return *std::move(all);
}

Result<std::vector<CommitId>> MergeBases(const Repository& repo, const CommitId& a,
                                         const CommitId& b) {
  if (a == b) return std::vector<CommitId>{a};
  Meeting meeting(repo);
  EMEND_RETURN_IF_ERROR(meeting.Start(a, b));
  EMEND_ASSIGN_OR_RETURN(std::vector<CommitId> bases, meeting.Run());
  if (bases.empty())
    return FailedPrecondition("looking for where " + a.Short() + " and " + b.Short() +
                              " parted: they share no history");
  return bases;
}

}  // namespace

Result<CommitId> MergeBase(const Repository& repo, const CommitId& a, const CommitId& b) {
  EMEND_ASSIGN_OR_RETURN(const std::vector<CommitId> bases, MergeBases(repo, a, b));
  return bases.front();
}

Result<std::vector<NumberedCommit>> CommitsBeyond(const Repository& repo, const CommitId& from,
                                                  const CommitId& known) {
  if (from == known) return std::vector<NumberedCommit>();
  Meeting meeting(repo);
  EMEND_RETURN_IF_ERROR(meeting.Start(from, known));
  EMEND_RETURN_IF_ERROR(meeting.Run().status());
  return meeting.OnlyInA();
}

Result<MergePlan> PlanMerge(const Repository& repo, const CommitId& ours, const CommitId& theirs,
                            const Decisions& decisions) {
  MergePlan plan;
  EMEND_ASSIGN_OR_RETURN(const std::vector<CommitId> ancestors, MergeBases(repo, ours, theirs));
  plan.ancestor = ancestors.front();
  if (plan.ancestor == theirs) {
    plan.kind = MergeKind::kUpToDate;
    return plan;
  }
  if (plan.ancestor == ours) plan.kind = MergeKind::kFastForward;
  EMEND_ASSIGN_OR_RETURN(const objects::Commit our_commit, repo.ReadCommit(ours));
  EMEND_ASSIGN_OR_RETURN(const objects::Commit their_commit, repo.ReadCommit(theirs));
  EMEND_ASSIGN_OR_RETURN(const objects::EditSetDiff our_diff,
                         ChangeSince(repo, ancestors, our_commit.state));
  EMEND_ASSIGN_OR_RETURN(const objects::EditSetDiff their_diff,
                         ChangeSince(repo, ancestors, their_commit.state));
  // What theirs took out is in ours unless ours took it out, too; and likewise what it added.
  plan.removed = DiffOf(our_diff.removed, their_diff.removed).added;
  const objects::EditSetDiff additions = DiffOf(our_diff.added, their_diff.added);
  plan.added = additions.added;
  EMEND_RETURN_IF_ERROR(Settle(repo, additions.removed, additions.added, decisions, plan));
  return plan;
}

}  // namespace emend::storage::history
