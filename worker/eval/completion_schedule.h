// CompletionSchedule: who waits, who runs, in which slot of which state's cache, and what the next
// step does. Rank 0's. Internal to worker/eval.
//
//   schedule.Add(std::move(row));
//   StepPlan plan = schedule.Plan();
//   ... every rank carries it out ...
//   // for each of plan.caches; or CacheRefused, OpenRefused
//   schedule.CacheChanged(state);
//   for (PlannedRun run : pass.runs) schedule.RowAt(pass.state, run.place.slot).Ran(
//       run.place.tokens);
//   schedule.Sweep();                                       // rows that have ended leave
//
// Computes nothing and asks no model: it can be tested alone. Rows enter first come first served,
// so that none waits for ever; each takes the lowest free slot of its state, and the cache has room
// for all it may become. A cache is doubled where that fits into cache_bytes_max, else grown by
// what is needed; it is given back when none of its rows runs. Invariants: a state is in the table
// while a row of it waits or runs, and until the plan that closes it; a slot has at most one row.
#pragma once

#include <cstddef>
#include <cstdint>
#include <list>
#include <map>
#include <memory>
#include <vector>

#include "storage/base/ids.h"
#include "storage/base/status.h"
#include "worker/eval/completion_row.h"
#include "worker/eval/step_plan.h"

namespace emend::worker::eval {

struct ScheduleLimits {
  std::int64_t rows_max = 0;
  std::int64_t cache_bytes_max = 0;
  std::int64_t prefill_tokens_max = 0;
  std::int64_t token_bytes = 0;  // of a slot for one token
  std::int64_t context = 0;      // tokens of a slot at the most
};

class CompletionSchedule {
 public:
  explicit CompletionSchedule(const ScheduleLimits& limits) : limits_(limits) {}

  // Whether there could be room for a row of so many tokens.
  bool CanEverFit(std::int64_t tokens) const {
    return tokens * limits_.token_bytes <= limits_.cache_bytes_max;
  }
  // REQUIRES: CanEverFit.
  void Add(std::unique_ptr<CompletionRow> row);

  // What every rank does next; who can enter enters.
  StepPlan Plan();
  CompletionRow& RowAt(const StateId& state, std::int64_t slot) {
    return *states_.at(state).rows.at(static_cast<std::size_t>(slot));
  }
  void CacheChanged(const StateId& state);
  // The cache is what it was: rows that found room in the new one alone end.
  void CacheRefused(const StateId& state, const Status& status);
  // Ends the state's rows.
  void OpenRefused(const StateId& state, const Status& status);
  void EndCancelled();
  void EndAll(const Status& status);
  void Sweep();

  std::size_t running() const { return running_.size(); }
  std::size_t waiting() const { return waiting_.size(); }
  // No row, and no state that is still to be closed.
  bool idle() const { return states_.empty(); }

 private:
  using Size = model::KeyValueCache::Size;
  struct StateUse {
    bool is_open = false;
    std::int64_t waiting = 0;
    std::int64_t running = 0;
    Size cache;                        // as it is
    Size wanted;                       // as the next plan makes it
    std::vector<CompletionRow*> rows;  // by slot; null: free
  };
  struct Running {
    std::unique_ptr<CompletionRow> row;
    std::int64_t slot = 0;
  };

  void OpenAndClose(StepPlan& plan);
  void ChangeCaches(StepPlan& plan);
  void Admit();
  // False where there is no room.
  bool Enter(std::unique_ptr<CompletionRow>& row);
  bool Fits(const StateUse& use, const Size& size) const;
  void PlanPasses(StepPlan& plan) const;
  template <typename Act>
  void ForEachRow(const Act& act);

  const ScheduleLimits limits_;
  std::map<StateId, StateUse> states_;
  std::list<std::unique_ptr<CompletionRow>> waiting_;  // in order of arrival
  std::list<Running> running_;                         // in order of admission
};

}  // namespace emend::worker::eval
