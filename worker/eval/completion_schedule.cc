#include "worker/eval/completion_schedule.h"

#include <algorithm>
#include <utility>

namespace emend::worker::eval {
namespace {

constexpr std::int64_t kCapacityStep = 64;
// Of what a step allows: a prompt's token behind which the logits are kept.
constexpr std::int64_t kEchoedCost = 4;

std::int64_t RoundUp(std::int64_t value, std::int64_t step) {
  return (value + step - 1) / step * step;
}

}  // namespace

void CompletionSchedule::Add(std::unique_ptr<CompletionRow> row) {
  ++states_[row->state()].waiting;
  waiting_.push_back(std::move(row));
}

StepPlan CompletionSchedule::Plan() {
  StepPlan plan;
  OpenAndClose(plan);
  for (auto& [state, use] : states_) {
    if (use.running == 0) use.wanted = {};
  }
  Admit();
  ChangeCaches(plan);
  PlanPasses(plan);
  return plan;
}

void CompletionSchedule::OpenAndClose(StepPlan& plan) {
  for (auto& [state, use] : states_) {
    if (use.waiting + use.running == 0 && use.is_open) plan.closed.push_back(state);
    if (use.waiting + use.running > 0 && !use.is_open) plan.opened.push_back(state);
    use.is_open = true;
  }
  std::erase_if(states_,
                [](const auto& entry) { return entry.second.waiting + entry.second.running == 0; });
}

// What is given back comes first.
void CompletionSchedule::ChangeCaches(StepPlan& plan) {
  const auto bytes = [&](const Size& size) {
    return model::KeyValueCache::Bytes(size, limits_.token_bytes);
  };
  for (const bool grows : {false, true}) {
    for (auto& [state, use] : states_) {
      use.rows.resize(static_cast<std::size_t>(use.wanted.slots));
      if (use.wanted != use.cache && (bytes(use.wanted) > bytes(use.cache)) == grows)
        plan.caches.push_back({state, use.wanted});
    }
  }
}

void CompletionSchedule::Admit() {
  while (!waiting_.empty() && static_cast<std::int64_t>(running_.size()) < limits_.rows_max &&
         Enter(waiting_.front()))
    waiting_.pop_front();
}

bool CompletionSchedule::Enter(std::unique_ptr<CompletionRow>& row) {
  StateUse& use = states_.at(row->state());
  const std::int64_t slot = std::ranges::find(use.rows, nullptr) - use.rows.begin(),
                     tokens = row->tokens_max();
  const Size needed{.slots = std::max(use.wanted.slots, slot + 1),
                    .capacity = std::max(use.wanted.capacity, tokens)};
  Size doubled = use.wanted;
  if (needed.slots > doubled.slots)
    doubled.slots = std::min(limits_.rows_max, std::max(needed.slots, 2 * doubled.slots));
  if (needed.capacity > doubled.capacity) {
    doubled.capacity = std::min(
        limits_.context, RoundUp(std::max(needed.capacity, 2 * doubled.capacity), kCapacityStep));
  }
  if (!Fits(use, doubled) && !Fits(use, needed)) return false;
  use.wanted = Fits(use, doubled) ? doubled : needed;
  use.rows.resize(static_cast<std::size_t>(use.wanted.slots));
  use.rows[static_cast<std::size_t>(slot)] = row.get();
  --use.waiting;
  ++use.running;
  running_.push_back({std::move(row), slot});
  return true;
}

bool CompletionSchedule::Fits(const StateUse& use, const Size& size) const {
  std::int64_t bytes = model::KeyValueCache::Bytes(size, limits_.token_bytes);
  for (const auto& [state, other] : states_) {
    if (&other != &use) bytes += model::KeyValueCache::Bytes(other.wanted, limits_.token_bytes);
  }
  return bytes <= limits_.cache_bytes_max;
}

// Rows that are past their prompts take one token each; prompts share what a step allows, in order
// of admission.
void CompletionSchedule::PlanPasses(StepPlan& plan) const {
  struct Share {
    const Running* row;
    std::int64_t tokens;
  };
  std::map<StateId, std::vector<Share>> shares;
  std::int64_t allowed = limits_.prefill_tokens_max;
  for (const Running& each : running_) {
    const auto left = static_cast<std::int64_t>(each.row->Left().size());
    const std::int64_t cost = each.row->echoes() ? kEchoedCost : 1;
    const std::int64_t tokens = left == 1 ? 1 : std::min(left, (allowed + cost - 1) / cost);
    if (left > 1) allowed = std::max<std::int64_t>(0, allowed - tokens * cost);
    if (tokens > 0) shares[each.row->state()].push_back({&each, tokens});
  }
  for (auto& [state, rows] : shares) {
    std::ranges::sort(rows, {}, [](const Share& share) { return share.row->slot; });
    StatePass pass{.state = state, .runs = {}, .tokens = {}};
    for (const auto& [each, count] : rows) {
      const auto left = each->row->Left();
      pass.runs.push_back(
          {.place = {.slot = each->slot, .begin = each->row->done(), .tokens = count},
           .logits = each->row->Wants(count)});
      pass.tokens.insert(pass.tokens.end(), left.begin(), left.begin() + count);
    }
    plan.passes.push_back(std::move(pass));
  }
}

void CompletionSchedule::CacheChanged(const StateId& state) {
  StateUse& use = states_.at(state);
  use.cache = use.wanted;
}

void CompletionSchedule::CacheRefused(const StateId& state, const Status& status) {
  StateUse& use = states_.at(state);
  use.wanted = use.cache;
  for (const Running& each : running_) {
    if (each.row->state() == state &&
        (each.slot >= use.cache.slots || each.row->tokens_max() > use.cache.capacity))
      each.row->End(status);
  }
}

template <typename Act>
void CompletionSchedule::ForEachRow(const Act& act) {
  for (const Running& each : running_) act(*each.row);
  for (const std::unique_ptr<CompletionRow>& row : waiting_) act(*row);
}

void CompletionSchedule::OpenRefused(const StateId& state, const Status& status) {
  states_.at(state).is_open = false;
  ForEachRow([&](CompletionRow& row) {
    if (row.state() == state) row.End(status);
  });
}

void CompletionSchedule::EndCancelled() {
  ForEachRow([](CompletionRow& row) {
    if (row.cancelled()) row.End(Status(StatusCode::kCancelled, "the completion was cancelled"));
  });
}

void CompletionSchedule::EndAll(const Status& status) {
  ForEachRow([&](CompletionRow& row) { row.End(status); });
  running_.clear();
  waiting_.clear();
  states_.clear();
}

void CompletionSchedule::Sweep() {
  for (const Running& each : running_) {
    if (!each.row->ended()) continue;
    StateUse& use = states_.at(each.row->state());
    use.rows[static_cast<std::size_t>(each.slot)] = nullptr;
    --use.running;
  }
  std::erase_if(running_, [](const Running& each) { return each.row->ended(); });
  for (const std::unique_ptr<CompletionRow>& row : waiting_)
    states_.at(row->state()).waiting -= row->ended() ? 1 : 0;
  std::erase_if(waiting_, [](const std::unique_ptr<CompletionRow>& row) { return row->ended(); });
}

}  // namespace emend::worker::eval
