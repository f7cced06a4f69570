// Scheduler: which of the waiting operations starts next, and which commits are solved with it.
// Pure and synchronous: it holds names and numbers, not jobs.
//
//   Scheduler scheduler;
//   scheduler.Add({.id = id, .priority = Priority::kBatch, .accepted = now, .demand = demand});
//   for (auto started = scheduler.Next(now, capacity); !started.empty(); started = scheduler.Next(
//       now, capacity)) Start(started);
//   scheduler.End(started.front());
//
// Rules, in this order:
//   1. Order. What moves one branch runs one at a time, in order of acceptance; so does what
//      prepares (statistics, tuning) among itself, and with the commits of its repo; whatever was
//      accepted after the import of its repo waits for it. Reading (evaluation, verify, export,
//      fsck) waits for an import alone: it sees what is there when it starts. A removal waits for
//      all of its repo, and whatever was accepted after it, on its repo or on the whole store,
//      waits for it.
//   2. Room. At most `workers` runs that need a worker, `files` that write a model's folder (two
//      might be the same) and `local` others at once.
//   3. Urgency. A better class first. Whoever waits rises by one class each kAgeing, so that after
//      twice as long nobody is urgent enough to pass. What holds up somebody more urgent is as
//      urgent as that.
//   4. Share. Within a class, start-time fair queueing over repos by estimated cost: of two repos
//      that always have something ready, neither gets ahead of the other by more than the dearest
//      start of each. A repo that was idle begins level with the others.
//   5. Within a repo, order of acceptance.
//
// Coalescing: with a commit start those right behind it on its branch that have the same key, slots
// that none of them shares, and at least its urgency; up to kTogetherMax commits and
// kFactsTogetherMax facts.
//
// Unbounded itself: the queue bounds what it adds. Not thread-safe; Next and Places cost O(n log n)
// of what waits.
#pragma once

#include <chrono>
#include <map>
#include <string>
#include <tuple>
#include <vector>

#include "coordinator/jobs/demand.h"
#include "storage/base/clock.h"
#include "storage/base/ids.h"
#include "storage/records/operations.h"

namespace emend::coordinator::jobs {

inline constexpr std::chrono::minutes kAgeing{10};
// each is a state of its own, which is rebuilt to be checked
inline constexpr std::size_t kTogetherMax = 16;
inline constexpr std::size_t kFactsTogetherMax = 1000;

// Runs at once, a group counting as one.
struct Capacity {
  std::size_t workers = 1;
  std::size_t local = 1;
  std::size_t files = 1;
};

class Scheduler {
 public:
  struct Item {
    OperationId id;  // sorts by acceptance
    storage::records::Priority priority = storage::records::Priority::kNormal;
    SteadyTime accepted;
    Demand demand;
  };

  void Add(Item item);
  // False if it does not wait.
  bool Remove(const OperationId& id);
  // What starts now, in order of acceptance: one operation, or commits that are solved together.
  // Empty: nothing can start. They no longer wait, and hold up others until End.
  std::vector<OperationId> Next(SteadyTime now, const Capacity& capacity);
  // Of what Next gave out together: the first one's id.
  void End(const OperationId& first);

  std::size_t waiting() const { return waiting_.size(); }
  std::size_t waiting(const std::string& repo) const;
  // For each that waits, how many are before it by urgency and acceptance: an estimate, since the
  // order of 1 and the share of 4 may turn it about.
  std::map<OperationId, std::size_t> Places(SteadyTime now) const;

 private:
  using Urgency = int;  // a Priority's number: less is more urgent
  using Urgencies = std::map<OperationId, Urgency>;
  using Flow = std::tuple<Pool, Urgency, std::string>;  // of a repo

  Urgencies FindUrgencies(SteadyTime now) const;
  // Where its flow stands: what is least is served next.
  std::uint64_t StartTag(const Demand& demand, Urgency urgency) const;
  std::vector<OperationId> Together(const Item& first, const Urgencies& urgencies) const;
  std::vector<OperationId> Start(const Item& first, const Urgencies& urgencies);
  void Charge(const Demand& demand, Urgency urgency, std::uint64_t cost);
  std::size_t Running(Pool pool) const;

  std::map<OperationId, Item> waiting_;
  std::map<OperationId, Demand> running_;  // by the first one's id
  // start tag of the last that was started
  std::map<std::pair<Pool, Urgency>, std::uint64_t> virtual_times_;
  // of flows that are ahead of virtual time
  std::map<Flow, std::uint64_t> finish_tags_;
};

}  // namespace emend::coordinator::jobs
