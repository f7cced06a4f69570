#include "storage/history/merge.h"

#include <algorithm>
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

  // The best of what both have.
  Result<std::optional<CommitId>> Run() {
    std::vector<CommitId> common;
    while (!open_.empty() && IsAnythingNew()) {
      const auto [order, next] = *open_.begin();
      open_.erase(open_.begin());
      Place& place = places_.at(next);
      unsigned marks = place.marks;
      if (marks != (kInBoth | kBehind)) oldest_ = std::max(oldest_, order);
      if ((marks & kInBoth) == kInBoth) {
        if ((marks & kBehind) == 0) common.push_back(next);
        marks |= kBehind;  // whatever it descends from is common, too, and not the best
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
  static constexpr unsigned kInA = 1, kInB = 2, kInBoth = 3, kBehind = 4;
  struct Place {
    unsigned marks = 0;
    objects::Commit commit;
  };

  // Among the open ones; those that are as old as one that was new count, too: it may be theirs.
  bool IsAnythingNew() const {
    return open_.begin()->first <= oldest_ ||
           std::ranges::any_of(open_, [&](const auto& one) { return !IsBehind(one.second); });
  }
  bool IsBehind(const CommitId& id) const { return (places_.at(id).marks & kBehind) != 0; }

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

  // Of those behind none: one that was found before its descendant was is behind by now.
  std::optional<CommitId> BestOf(const std::vector<CommitId>& common) const {
    std::optional<CommitId> best;
    for (const CommitId& id : common) {
      if (IsBehind(id)) continue;
      if (!best || OrderOf(id) < OrderOf(*best)) best = id;
    }
    return best;
  }

  std::pair<std::int64_t, CommitId> OrderOf(const CommitId& id) const {
    return {-places_.at(id).commit.time_ms, id};
  }

  const Repository& repo_;
  std::map<CommitId, Place> places_;
  std::set<std::pair<std::int64_t, CommitId>> open_;  // newest first
  // the order of the oldest that was not behind
  std::int64_t oldest_ = std::numeric_limits<std::int64_t>::min();
};

using Ids = std::vector<EditId>;

struct Held {
  EditId edit;
  std::string target;
};
Result<std::map<objects::Slot, Held>> SlotsOf(const Repository& repo, const Ids& ids) {
  std::map<objects::Slot, Held> slots;
  for (const EditId& id : ids) {
    EMEND_ASSIGN_OR_RETURN(const objects::Edit edit, repo.objects().ReadEdit(id));
    for (const objects::Fact& fact : edit.facts)
      slots.insert_or_assign(objects::SlotOf(fact), Held{id, fact.target});
  }
  return slots;
}

void Insert(Ids& ids, const EditId& id) {
  const auto place = std::ranges::lower_bound(ids, id);
  if (place == ids.end() || *place != id) ids.insert(place, id);
}

// Settles the slots into which both sides have put an edit of their own.
Status Settle(const Repository& repo, const Ids& ours, const Ids& theirs,
              const Decisions& decisions, MergePlan& plan) {
  if (ours.empty() || theirs.empty()) return OkStatus();
  EMEND_ASSIGN_OR_RETURN(const auto our_slots, SlotsOf(repo, ours));
  EMEND_ASSIGN_OR_RETURN(const auto their_slots, SlotsOf(repo, theirs));
  for (const auto& [slot, held] : their_slots) {
    const auto found = our_slots.find(slot);
    if (found == our_slots.end()) continue;
    std::optional<Side> side = decisions.otherwise;
    for (const EditId& edit : {held.edit, found->second.edit}) {
      const auto decided = decisions.decided.find(edit);
      if (decided != decisions.decided.end()) side = decided->second;
    }
    if (found->second.target == held.target) side = Side::kOurs;
    if (!side) {
      plan.conflicts.push_back({slot, found->second.edit, held.edit});
    } else if (side == Side::kOurs) {
      std::erase(plan.added, held.edit);
    } else if (side == Side::kTheirs) {
      Insert(plan.removed, found->second.edit);
    }
  }
  return OkStatus();
}

}  // namespace

Result<CommitId> MergeBase(const Repository& repo, const CommitId& a, const CommitId& b) {
  if (a == b) return a;
  Meeting meeting(repo);
  EMEND_RETURN_IF_ERROR(meeting.Start(a, b));
  EMEND_ASSIGN_OR_RETURN(const std::optional<CommitId> best, meeting.Run());
  if (!best)
    return NotFound("looking for where " + a.Short() + " and " + b.Short() +
                    " parted: they share no history");
  return *best;
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
  EMEND_ASSIGN_OR_RETURN(plan.ancestor, MergeBase(repo, ours, theirs));
  if (plan.ancestor == theirs) {
    plan.kind = MergeKind::kUpToDate;
    return plan;
  }
  if (plan.ancestor == ours) plan.kind = MergeKind::kFastForward;
  EMEND_ASSIGN_OR_RETURN(const objects::Commit ancestor, repo.ReadCommit(plan.ancestor));
  EMEND_ASSIGN_OR_RETURN(const objects::Commit our_commit, repo.ReadCommit(ours));
  EMEND_ASSIGN_OR_RETURN(const objects::Commit their_commit, repo.ReadCommit(theirs));
  EMEND_ASSIGN_OR_RETURN(const objects::EditSetDiff our_diff,
                         repo.Diff(ancestor.state, our_commit.state));
  EMEND_ASSIGN_OR_RETURN(const objects::EditSetDiff their_diff,
                         repo.Diff(ancestor.state, their_commit.state));
  // What theirs took out is in ours unless ours took it out, too; and likewise what it added.
  plan.removed = DiffOf(our_diff.removed, their_diff.removed).added;
  const objects::EditSetDiff additions = DiffOf(our_diff.added, their_diff.added);
  plan.added = additions.added;
  EMEND_RETURN_IF_ERROR(Settle(repo, additions.removed, additions.added, decisions, plan));
  return plan;
}

}  // namespace emend::storage::history
