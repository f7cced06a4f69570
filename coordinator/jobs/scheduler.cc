#include "coordinator/jobs/scheduler.h"

#include <algorithm>
#include <set>
#include <utility>

namespace emend::coordinator::jobs {
namespace {

using Branch = std::pair<std::string, std::string>;  // repo, name

Branch BranchOf(const Demand& demand) { return {demand.repo, demand.branch}; }

// What has been met so far in order of acceptance, as far as later ones must wait for it.
class Ahead {
 public:
  void Add(const Demand& demand) {
    if (!demand.branch.empty()) branches_.insert(BranchOf(demand));
    repos_.insert(demand.repo);
    if (demand.role == Role::kImports) imports_.insert(demand.repo);
    if (demand.role == Role::kRemoves) removes_.insert(demand.repo);
    if (demand.role == Role::kPrepares) prepares_.insert(demand.repo);
    if (demand.role == Role::kEdits) edits_.insert(demand.repo);
  }

  bool HoldsUp(const Demand& demand) const {
    if (imports_.contains(demand.repo) || removes_.contains(demand.repo)) return true;
    if (demand.repo.empty() && !removes_.empty()) return true;
    if (demand.role == Role::kRemoves) return repos_.contains(demand.repo) || repos_.contains("");
    if (!demand.branch.empty() && branches_.contains(BranchOf(demand))) return true;
    if (demand.role == Role::kEdits) return prepares_.contains(demand.repo);
    return demand.role == Role::kPrepares &&
           (prepares_.contains(demand.repo) || edits_.contains(demand.repo));
  }

 private:
  std::set<Branch> branches_;
  std::set<std::string> repos_, imports_, removes_, prepares_, edits_;
};

// The same, met from the newest on: how urgent those are that would wait for an earlier one.
class Behind {
 public:
  void Add(const Demand& demand, int urgency) {
    if (!demand.branch.empty()) Lower(branches_, BranchOf(demand), urgency);
    if (demand.role == Role::kPrepares) Lower(prepares_, demand.repo, urgency);
    if (demand.role == Role::kEdits) Lower(edits_, demand.repo, urgency);
    if (demand.role == Role::kRemoves) {
      Lower(removes_, demand.repo, urgency);
      Lower(removes_, kAnyRepo, urgency);
    }
    Lower(all_, demand.repo, urgency);
  }

  int Inherited(const Demand& demand, int urgency) const {
    if (demand.repo.empty()) return std::min(urgency, Find(removes_, kAnyRepo));
    urgency = std::min(urgency, Find(removes_, demand.repo));
    if (demand.role == Role::kRemoves) urgency = std::min(urgency, Find(all_, std::string()));
    if (demand.role == Role::kImports || demand.role == Role::kRemoves)
      return std::min(urgency, Find(all_, demand.repo));
    if (demand.role == Role::kPrepares)
      return std::min({urgency, Find(prepares_, demand.repo), Find(edits_, demand.repo)});
    if (demand.role == Role::kEdits) urgency = std::min(urgency, Find(prepares_, demand.repo));
    return demand.branch.empty() ? urgency : std::min(urgency, Find(branches_, BranchOf(demand)));
  }

 private:
  static constexpr int kNobody = 99;
  static inline const std::string kAnyRepo = "*";  // no repo's name
  template <typename Key>
  static void Lower(std::map<Key, int>& map, const Key& key, int urgency) {
    int& known = map.emplace(key, kNobody).first->second;
    known = std::min(known, urgency);
  }
  template <typename Key>
  static int Find(const std::map<Key, int>& map, const Key& key) {
    const auto found = map.find(key);
    return found == map.end() ? kNobody : found->second;
  }

  std::map<Branch, int> branches_;
  std::map<std::string, int> prepares_, edits_, removes_, all_;  // by repo
};

int AgedUrgency(const Scheduler::Item& item, SteadyTime now) {
  const auto steps = std::max<std::int64_t>(0, (now - item.accepted) / kAgeing);
  return static_cast<int>(std::max<std::int64_t>(1, static_cast<int>(item.priority) - steps));
}

bool HaveCommon(const std::vector<std::uint64_t>& a, const std::vector<std::uint64_t>& b) {
  return std::ranges::any_of(
      b, [&](std::uint64_t slot) { return std::ranges::binary_search(a, slot); });
}

}  // namespace

void Scheduler::Add(Item item) {
  OperationId id = item.id;
  waiting_.emplace(std::move(id), std::move(item));
}

bool Scheduler::Remove(const OperationId& id) { return waiting_.erase(id) > 0; }

void Scheduler::End(const OperationId& first) { running_.erase(first); }

std::size_t Scheduler::waiting(const std::string& repo) const {
  return static_cast<std::size_t>(std::ranges::count_if(
      waiting_, [&](const auto& entry) { return entry.second.demand.repo == repo; }));
}

std::size_t Scheduler::Running(Pool pool) const {
  return static_cast<std::size_t>(std::ranges::count_if(
      running_, [&](const auto& entry) { return entry.second.pool == pool; }));
}

Scheduler::Urgencies Scheduler::FindUrgencies(SteadyTime now) const {
  Urgencies urgencies;
  Behind behind;
  for (auto at = waiting_.rbegin(); at != waiting_.rend(); ++at) {
    const Urgency urgency = behind.Inherited(at->second.demand, AgedUrgency(at->second, now));
    behind.Add(at->second.demand, urgency);
    urgencies.emplace(at->first, urgency);
  }
  return urgencies;
}

std::map<OperationId, std::size_t> Scheduler::Places(SteadyTime now) const {
  std::vector<std::pair<Urgency, OperationId>> order;
  for (const auto& [id, urgency] : FindUrgencies(now)) order.emplace_back(urgency, id);
  std::ranges::sort(order);
  std::map<OperationId, std::size_t> places;
  for (std::size_t i = 0; i < order.size(); ++i) places.emplace(order[i].second, i);
  return places;
}

std::uint64_t Scheduler::StartTag(const Demand& demand, Urgency urgency) const {
  const auto time = virtual_times_.find({demand.pool, urgency});
  const auto finish = finish_tags_.find({demand.pool, urgency, demand.repo});
  return std::max(time == virtual_times_.end() ? 0 : time->second,
                  finish == finish_tags_.end() ? 0 : finish->second);
}

std::vector<OperationId> Scheduler::Next(SteadyTime now, const Capacity& capacity) {
  const bool has_room[] = {Running(Pool::kWorkers) < capacity.workers,
                           Running(Pool::kLocal) < capacity.local,
                           Running(Pool::kFiles) < capacity.files};
  const Urgencies urgencies = FindUrgencies(now);
  Ahead ahead;
  for (const auto& [id, demand] : running_) ahead.Add(demand);
  const Item* best = nullptr;
  std::pair<Urgency, std::uint64_t> best_rank;
  for (const auto& [id, item] : waiting_) {
    const bool is_ready =
        !ahead.HoldsUp(item.demand) && has_room[static_cast<std::size_t>(item.demand.pool)];
    ahead.Add(item.demand);
    if (!is_ready) continue;
    const Urgency urgency = urgencies.at(id);
    const std::pair rank(urgency, StartTag(item.demand, urgency));
    // Of equal rank, the one accepted first.
    if (best != nullptr && best_rank <= rank) continue;
    best = &item;
    best_rank = rank;
  }
  return best == nullptr ? std::vector<OperationId>() : Start(*best, urgencies);
}

std::vector<OperationId> Scheduler::Together(const Item& first, const Urgencies& urgencies) const {
  std::vector<OperationId> together = {first.id};
  if (!first.demand.key) return together;
  std::size_t facts = first.demand.facts;
  std::vector<std::uint64_t> slots = first.demand.slots;
  for (auto at = waiting_.upper_bound(first.id);
       at != waiting_.end() && together.size() < kTogetherMax; ++at) {
    const Demand& demand = at->second.demand;
    if (demand.repo != first.demand.repo) continue;
    if (demand.role == Role::kImports || demand.role == Role::kPrepares ||
        demand.role == Role::kRemoves)
      break;
    if (demand.branch != first.demand.branch) continue;
    // The order on the branch must hold: the first that cannot come along ends it.
    const bool fits = demand.key == first.demand.key && facts + demand.facts <= kFactsTogetherMax &&
                      !HaveCommon(slots, demand.slots);
    if (!fits || urgencies.at(at->first) > urgencies.at(first.id)) break;
    together.push_back(at->first);
    facts += demand.facts;
    const auto middle = static_cast<std::ptrdiff_t>(slots.size());
    slots.insert(slots.end(), demand.slots.begin(), demand.slots.end());
    std::inplace_merge(slots.begin(), slots.begin() + middle, slots.end());
  }
  return together;
}

void Scheduler::Charge(const Demand& demand, Urgency urgency, std::uint64_t cost) {
  const std::uint64_t start = StartTag(demand, urgency);
  virtual_times_[{demand.pool, urgency}] = start;
  finish_tags_[{demand.pool, urgency, demand.repo}] = start + cost;
  // Behind virtual time a tag says nothing: only repos that are ahead are remembered.
  std::erase_if(finish_tags_, [&](const auto& flow) {
    return std::get<0>(flow.first) == demand.pool && std::get<1>(flow.first) == urgency &&
           flow.second <= start;
  });
}

std::vector<OperationId> Scheduler::Start(const Item& first, const Urgencies& urgencies) {
  std::vector<OperationId> started = Together(first, urgencies);
  std::uint64_t cost = 0;
  for (const OperationId& id : started) cost += waiting_.at(id).demand.cost;
  Charge(first.demand, urgencies.at(first.id), cost);
  running_.emplace(first.id, first.demand);
  for (const OperationId& id : started) waiting_.erase(id);
  return started;
}

}  // namespace emend::coordinator::jobs
