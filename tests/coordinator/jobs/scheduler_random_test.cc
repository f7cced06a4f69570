// Random operations against an oracle that knows the rules pair by pair.
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <set>
#include <vector>

#include "tests/coordinator/jobs/demands.h"
#include "tests/support/seeded_random.h"

namespace emend::coordinator::jobs::scheduler_random_test {
namespace {

using namespace std::chrono_literals;
using storage::records::Priority;

struct Known {
  Scheduler::Item item;
  enum class State { kWaits, kRuns, kGone } state = State::kWaits;
  int run = 0;  // of kRuns: the first one's number
};

class Oracle {
 public:
  std::map<int, Known> all;  // by number

  static bool MustFollow(const Demand& later, const Demand& earlier) {
    const bool removes = later.role == Role::kRemoves || earlier.role == Role::kRemoves;
    const bool is_of_all = later.repo.empty() || earlier.repo.empty();
    if (removes && (is_of_all || later.repo == earlier.repo)) return true;
    if (later.repo != earlier.repo) return false;
    if (earlier.role == Role::kImports) return true;
    if (!later.branch.empty() && later.branch == earlier.branch) return true;
    const bool prepares = later.role == Role::kPrepares || earlier.role == Role::kPrepares;
    const auto is_either = [](const Demand& demand) {
      return demand.role == Role::kPrepares || demand.role == Role::kEdits;
    };
    return prepares && is_either(later) && is_either(earlier);
  }
  // What started `run` may be passed by its own members.
  bool IsHeldUp(int number, int run) const {
    return std::ranges::any_of(all, [&](const auto& entry) {
      const bool prepares =
          entry.second.state == Known::State::kRuns
              ? entry.second.run != run
              : entry.second.state == Known::State::kWaits && entry.first < number;
      return prepares && entry.first != number &&
             MustFollow(all.at(number).item.demand, entry.second.item.demand);
    });
  }
  int Urgency(int number, SteadyTime now) const {
    const Known& known = all.at(number);
    int urgency = std::max(1, static_cast<int>(known.item.priority) -
                                  static_cast<int>((now - known.item.accepted) / kAgeing));
    for (auto at = all.upper_bound(number); at != all.end(); ++at) {
      if (at->second.state != Known::State::kWaits ||
          !MustFollow(at->second.item.demand, known.item.demand))
        continue;
      urgency = std::min(urgency, Urgency(at->first, now));
    }
    return urgency;
  }
  static std::size_t Room(Pool pool, const Capacity& capacity) {
    return pool == Pool::kWorkers ? capacity.workers
           : pool == Pool::kLocal ? capacity.local
                                  : capacity.files;
  }
  std::size_t Running(Pool pool) const {
    std::set<int> runs;
    for (const auto& [number, known] : all) {
      if (known.state == Known::State::kRuns && known.item.demand.pool == pool)
        runs.insert(known.run);
    }
    return runs.size();
  }
};

class SchedulerRandomTest : public testing::TestWithParam<std::uint64_t> {
 protected:
  std::size_t Draw(std::size_t bound) { return random_.Below(bound); }

  void Add() {
    const std::string repo(1, static_cast<char>('a' + Draw(3)));
    const std::string branch = Draw(2) == 0 ? "main" : "side";
    Demand demand = Commit(repo, branch, 1 + Draw(20));
    demand.key = Sha256(Draw(4) == 0 ? "other" : "usual");
    demand.slots = {Draw(30)};
    const std::size_t kind = Draw(13);
    if (kind == 0) demand = Import(repo);
    if (kind == 1) demand = Statistics(repo);
    if (kind == 2) demand = Evaluation(repo);
    if (kind == 3) demand = Revert(repo, branch);
    if (kind == 4) demand = Export(repo);
    if (kind == 5) demand = Removal(repo);
    if (kind == 6) demand = Fsck();
    Scheduler::Item item{Id(next_), static_cast<Priority>(1 + Draw(3)), now_, demand};
    scheduler_.Add(item);
    oracle_.all[next_++] = {item, Known::State::kWaits, 0};
  }

  void CheckStart(const std::vector<OperationId>& started, const Capacity& capacity) {
    std::vector<int> numbers;
    for (const OperationId& id : started) numbers.push_back(std::stoi(id.value().substr(3)));
    const Demand first = oracle_.all.at(numbers.front()).item.demand;
    const int urgency = oracle_.Urgency(numbers.front(), now_);
    ASSERT_LT(oracle_.Running(first.pool), Oracle::Room(first.pool, capacity));
    // Nobody in the same pool that could have started is more urgent, nor accepted earlier in the
    // same repo at the same urgency.
    for (const auto& [number, known] : oracle_.all) {
      if (known.state != Known::State::kWaits || known.item.demand.pool != first.pool ||
          oracle_.IsHeldUp(number, 0))
        continue;
      const int other = oracle_.Urgency(number, now_);
      EXPECT_GE(other, urgency) << number << " was passed over for " << numbers.front();
      EXPECT_TRUE(known.item.demand.repo != first.repo || other != urgency ||
                  number >= numbers.front())
          << number << " was accepted before " << numbers.front();
    }
    std::set<std::uint64_t> slots;
    for (const int number : numbers) {
      Known& known = oracle_.all.at(number);
      ASSERT_EQ(known.state, Known::State::kWaits) << "started twice";
      EXPECT_FALSE(oracle_.IsHeldUp(number, numbers.front())) << number;
      EXPECT_LE(oracle_.Urgency(number, now_), urgency);
      for (const std::uint64_t slot : known.item.demand.slots)
        EXPECT_TRUE(slots.insert(slot).second) << "two of a group want one slot";
      EXPECT_TRUE(numbers.size() == 1 || known.item.demand.key == first.key);
      known.state = Known::State::kRuns;
      known.run = numbers.front();
    }
    largest_ = std::max(largest_, numbers.size());
    running_.push_back(numbers.front());
  }

  void EndOne() {
    if (running_.empty()) return;
    const std::size_t chosen = Draw(running_.size());
    const int run = running_[chosen];
    running_.erase(running_.begin() + static_cast<std::ptrdiff_t>(chosen));
    scheduler_.End(Id(run));
    for (auto& [number, known] : oracle_.all) {
      if (known.state == Known::State::kRuns && known.run == run) known.state = Known::State::kGone;
    }
  }
  void RemoveOne() {
    const int number = 1 + static_cast<int>(Draw(static_cast<std::size_t>(next_)));
    const auto found = oracle_.all.find(number);
    const bool waits = found != oracle_.all.end() && found->second.state == Known::State::kWaits;
    EXPECT_EQ(scheduler_.Remove(Id(number)), waits);
    if (waits) found->second.state = Known::State::kGone;
  }
  void CheckNothingCouldStart(const Capacity& capacity) {
    for (const auto& [number, known] : oracle_.all) {
      if (known.state != Known::State::kWaits || oracle_.IsHeldUp(number, 0)) continue;
      const Pool pool = known.item.demand.pool;
      EXPECT_EQ(oracle_.Running(pool), Oracle::Room(pool, capacity)) << number << " could start";
    }
  }

  test::SeededRandom random_{GetParam()};
  Scheduler scheduler_;
  Oracle oracle_;
  SteadyTime now_;
  int next_ = 1;
  std::vector<int> running_;
  std::size_t largest_ = 0;
};

TEST_P(SchedulerRandomTest, WhatStartsIsAlwaysWhatTheRulesSay) {
  const Capacity capacity{.workers = 1 + Draw(3), .local = 1 + Draw(2), .files = 1};
  for (int step = 0; step < 400; ++step) {
    const std::size_t choice = Draw(12);
    if (choice < 6 && scheduler_.waiting() < 40) Add();
    if (choice == 6) RemoveOne();
    if (choice == 7) now_ += std::chrono::seconds(Draw(900));
    if (choice > 7) EndOne();
    for (auto started = scheduler_.Next(now_, capacity); !started.empty();
         started = scheduler_.Next(now_, capacity))
      CheckStart(started, capacity);
    CheckNothingCouldStart(capacity);
    ASSERT_FALSE(HasFailure()) << "seed " << GetParam() << ", step " << step;
  }
  while (!running_.empty() || scheduler_.waiting() > 0) {
    EndOne();
    for (auto started = scheduler_.Next(now_, capacity); !started.empty();
         started = scheduler_.Next(now_, capacity))
      CheckStart(started, capacity);
    ASSERT_FALSE(HasFailure()) << "seed " << GetParam();
  }
  EXPECT_GT(largest_, 1U) << "nothing was coalesced";
  EXPECT_TRUE(std::ranges::all_of(
      oracle_.all, [](const auto& entry) { return entry.second.state == Known::State::kGone; }));
}

// Repos that always have something ready: what each was given never differs by more than the
// dearest start of both.
TEST_P(SchedulerRandomTest, ReposThatAlwaysHaveWorkGetTheSameShare) {
  constexpr std::uint64_t kCostMax = 50;
  const Capacity capacity{.workers = 1 + Draw(3), .local = 1, .files = 1};
  const std::vector<std::string> repos = {"a", "b", "c"};
  std::map<std::string, std::uint64_t> given;
  std::map<int, std::pair<std::string, std::uint64_t>> costs;  // by number
  for (int step = 0; step < 500; ++step) {
    for (const std::string& repo : repos) {
      while (scheduler_.waiting(repo) < 4) {
        Demand demand = Commit(repo, "b" + std::to_string(next_), 1 + Draw(kCostMax));
        costs[next_] = {repo, demand.cost};
        scheduler_.Add({Id(next_++), Priority::kNormal, now_, std::move(demand)});
      }
    }
    const auto started = scheduler_.Next(now_, capacity);
    if (started.empty()) {
      const std::size_t chosen = Draw(running_.size());
      scheduler_.End(Id(running_[chosen]));
      running_.erase(running_.begin() + static_cast<std::ptrdiff_t>(chosen));
      continue;
    }
    running_.push_back(std::stoi(started.front().value().substr(3)));
    const auto& [repo, cost] = costs.at(running_.back());
    given[repo] += cost;
    for (const std::string& other : repos)
      ASSERT_LE(given[repo], given[other] + 2 * kCostMax)
          << "seed " << GetParam() << ", step " << step;
  }
}

INSTANTIATE_TEST_SUITE_P(Seeds, SchedulerRandomTest, testing::Range<std::uint64_t>(1, 31));

}  // namespace
}  // namespace emend::coordinator::jobs::scheduler_random_test
