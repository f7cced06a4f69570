#include "coordinator/jobs/scheduler.h"

#include <algorithm>
#include <set>

#include "storage/base/random.h"
#include "tests/support/status_matchers.h"

namespace emend::coordinator::jobs::scheduler_test {
namespace {

using namespace std::chrono_literals;
using storage::records::Priority;
using testing::ElementsAre;
using testing::IsEmpty;

constexpr Capacity kOne{.workers = 1, .local = 1, .files = 1};
constexpr Capacity kMany{.workers = 100, .local = 100, .files = 100};

OperationId Id(int number) {
  const std::string digits = std::to_string(number);
  return OperationId("op-" + std::string(16 - digits.size(), '0') + digits);
}

Demand Commit(const std::string& repo, const std::string& branch, std::uint64_t cost = 10) {
  Demand demand;
  demand.role = Role::kEdits;
  demand.pool = Pool::kWorkers;
  demand.repo = repo;
  demand.branch = branch;
  demand.cost = cost;
  demand.facts = cost;
  return demand;
}
Demand With(Role role, Pool pool, const std::string& repo) {
  Demand demand;
  demand.role = role;
  demand.pool = pool;
  demand.repo = repo;
  return demand;
}
Demand Revert(const std::string& repo, const std::string& branch) {
  Demand demand = With(Role::kReverts, Pool::kLocal, repo);
  demand.branch = branch;
  return demand;
}
Demand Statistics(const std::string& repo) { return With(Role::kCounts, Pool::kWorkers, repo); }
Demand Import(const std::string& repo) { return With(Role::kImports, Pool::kFiles, repo); }
Demand Export(const std::string& repo) { return With(Role::kReads, Pool::kFiles, repo); }
Demand Evaluation(const std::string& repo) { return With(Role::kReads, Pool::kWorkers, repo); }
Demand Alike(const std::string& branch, std::vector<std::uint64_t> slots,
             const std::string& key = "settings") {
  Demand demand = Commit("a", branch, slots.size());
  demand.key = Sha256(key);
  demand.slots = std::move(slots);
  return demand;
}

class SchedulerTest : public testing::Test {
 protected:
  void Add(int number, Demand demand, Priority priority = Priority::kNormal) {
    scheduler_.Add({Id(number), priority, now_, std::move(demand)});
  }
  // The numbers of what starts next.
  std::vector<int> Next(const Capacity& capacity = kMany) {
    std::vector<int> numbers;
    const std::vector<OperationId> started = scheduler_.Next(now_, capacity);
    for (const OperationId& id : started) numbers.push_back(std::stoi(id.value().substr(3)));
    return numbers;
  }
  // Everything in the order in which one worker runs it.
  std::vector<int> RunAll() {
    std::vector<int> order;
    for (std::vector<int> started = Next(kOne); !started.empty(); started = Next(kOne)) {
      order.insert(order.end(), started.begin(), started.end());
      End(started.front());
    }
    return order;
  }
  void End(int number) { scheduler_.End(Id(number)); }

  Scheduler scheduler_;
  SteadyTime now_;
};

TEST_F(SchedulerTest, OfOneRepoTheOrderIsThatOfAcceptance) {
  Add(2, Evaluation("a"));
  Add(1, Evaluation("a"));
  Add(3, Evaluation("a"));
  EXPECT_THAT(RunAll(), ElementsAre(1, 2, 3));
  EXPECT_EQ(scheduler_.waiting(), 0U);
}

TEST_F(SchedulerTest, OneBranchIsMovedByOneAtATimeAndOthersBesideIt) {
  Add(1, Commit("a", "main"));
  Add(2, Revert("a", "main"));
  Add(3, Commit("a", "side"));
  Add(4, Commit("b", "main"));
  EXPECT_THAT(Next(), ElementsAre(1));
  EXPECT_THAT(Next(), ElementsAre(4)) << "b has had nothing yet";
  EXPECT_THAT(Next(), ElementsAre(3));
  EXPECT_THAT(Next(), IsEmpty());
  End(1);
  EXPECT_THAT(Next(), ElementsAre(2));
}

TEST_F(SchedulerTest, StatisticsKeepTheirPlaceAmongTheCommitsOfTheirRepo) {
  Add(1, Commit("a", "main"));
  Add(2, Statistics("a"));
  Add(3, Commit("a", "side"));
  Add(4, Revert("a", "other"));
  EXPECT_THAT(Next(), ElementsAre(1));
  EXPECT_THAT(Next(), ElementsAre(4)) << "a revert needs no statistics";
  EXPECT_THAT(Next(), IsEmpty());
  End(1);
  EXPECT_THAT(Next(), ElementsAre(2));
  EXPECT_THAT(Next(), IsEmpty());
  End(2);
  EXPECT_THAT(Next(), ElementsAre(3));
}

TEST_F(SchedulerTest, NothingOfARepoGoesBeforeItsImport) {
  Add(1, Import("a"));
  Add(2, Evaluation("a"), Priority::kInteractive);
  Add(3, Import("a"));
  Add(4, With(Role::kReads, Pool::kLocal, ""));
  EXPECT_THAT(Next(), ElementsAre(1)) << "it is as urgent as the evaluation behind it";
  EXPECT_THAT(Next(), ElementsAre(4)) << "fsck waits for nothing";
  EXPECT_THAT(Next(), IsEmpty());
  End(1);
  EXPECT_THAT(Next(), ElementsAre(2));
  EXPECT_THAT(Next(), ElementsAre(3));
}

TEST_F(SchedulerTest, FoldersAreWrittenOneAtATime) {
  Add(1, Import("a"));
  Add(2, Export("b"));
  Add(3, Revert("b", "main"));
  EXPECT_THAT(Next(kOne), ElementsAre(1));
  EXPECT_THAT(Next(kOne), ElementsAre(3));
  EXPECT_THAT(Next(kOne), IsEmpty());
  End(1);
  EXPECT_THAT(Next(kOne), ElementsAre(2));
}

TEST_F(SchedulerTest, ALongSolveKeepsNoRevertWaiting) {
  Add(1, Commit("a", "main"));
  Add(2, Commit("a", "side"));
  Add(3, Revert("a", "third"));
  EXPECT_THAT(Next(kOne), ElementsAre(1));
  EXPECT_THAT(Next(kOne), ElementsAre(3));
  EXPECT_THAT(Next(kOne), IsEmpty());
}

TEST_F(SchedulerTest, AMoreUrgentClassGoesFirst) {
  Add(1, Commit("a", "main"), Priority::kBatch);
  Add(2, Commit("a", "side"));
  Add(3, Commit("b", "main"), Priority::kInteractive);
  EXPECT_THAT(RunAll(), ElementsAre(3, 2, 1));
}

TEST_F(SchedulerTest, WhatHoldsUpSomethingUrgentIsAsUrgent) {
  Add(1, Commit("a", "main"), Priority::kBatch);
  Add(2, Statistics("a"), Priority::kBatch);
  Add(3, Commit("b", "main"));
  Add(4, Commit("a", "side"), Priority::kInteractive);
  EXPECT_THAT(RunAll(), ElementsAre(1, 2, 4, 3)) << "4 waits for 2, and 2 for 1";
}

TEST_F(SchedulerTest, WaitingRaisesAClassEveryTenMinutes) {
  Add(1, Commit("a", "main"), Priority::kBatch);
  now_ += 2 * kAgeing - 1s;
  Add(2, Commit("b", "main"), Priority::kInteractive);
  EXPECT_THAT(Next(kOne), ElementsAre(2));
  End(2);
  now_ += 1s;
  Add(3, Commit("c", "main"), Priority::kInteractive);
  EXPECT_THAT(Next(kOne), ElementsAre(1)) << "level by now, and accepted first";
}

TEST_F(SchedulerTest, AnEndlessStreamOfUrgentWorkStarvesNobody) {
  Add(1, Commit("poor", "main"), Priority::kBatch);
  int number = 2;
  const SteadyTime accepted = now_;
  for (std::vector<int> started; started != std::vector<int>{1};) {
    ASSERT_LT(now_ - accepted, 2 * kAgeing + 2min) << "it starves";
    for (int i = 0; i < 3; ++i, ++number)
      Add(number, Commit("rich", "b" + std::to_string(number)), Priority::kInteractive);
    started = Next(kOne);
    End(started.front());
    now_ += 1min;
  }
}

TEST_F(SchedulerTest, ReposShareByCostNotByCount) {
  for (int i = 1; i <= 4; ++i) Add(i, Commit("dear", "b" + std::to_string(i), 100));
  for (int i = 5; i <= 30; ++i) Add(i, Commit("cheap", "b" + std::to_string(i), 10));
  const std::vector<int> order = RunAll();
  std::uint64_t dear = 0;
  std::uint64_t cheap = 0;
  for (int i = 0; i < 22; ++i) {
    (order[static_cast<std::size_t>(i)] <= 4 ? dear : cheap) +=
        order[static_cast<std::size_t>(i)] <= 4 ? 100U : 10U;
    EXPECT_LE(dear, cheap + 110);
    EXPECT_LE(cheap, dear + 110);
  }
}

TEST_F(SchedulerTest, ARepoThatWasIdleHasSavedNothing) {
  for (int i = 1; i <= 10; ++i) Add(i, Evaluation("busy"));
  for (int i = 0; i < 8; ++i) End(Next(kOne).front());
  for (int i = 11; i <= 14; ++i) Add(i, Evaluation("late"));
  const std::vector<int> rest = RunAll();
  EXPECT_THAT(rest, ElementsAre(11, 9, 12, 10, 13, 14))
      << "by turns, not four of the late one first";
}

TEST_F(SchedulerTest, LikeCommitsOfABranchStartTogether) {
  Add(1, Alike("main", {1, 2}));
  Add(2, Alike("main", {3}));
  Add(3, Alike("side", {9}));
  Add(4, Alike("main", {4}));
  Add(5, Alike("main", {2, 5}));
  Add(6, Alike("main", {6}));
  EXPECT_THAT(Next(), ElementsAre(1, 2, 4)) << "5 wants a slot of 1, and 6 may not pass it";
  EXPECT_THAT(Next(), ElementsAre(3));
  EXPECT_THAT(Next(), IsEmpty());
  End(1);
  EXPECT_THAT(Next(), ElementsAre(5, 6));
}

TEST_F(SchedulerTest, AGroupIsPaidForByItsRepo) {
  for (int i = 1; i <= 3; ++i) {
    const auto slot = static_cast<std::uint64_t>(10 * i);
    Add(i, Alike("main", {slot, slot + 1, slot + 2}));
  }
  Add(4, Alike("side", {1, 2, 3}));
  for (int i = 5; i <= 8; ++i) Add(i, Commit("b", "b" + std::to_string(i), 3));
  EXPECT_THAT(RunAll(), ElementsAre(1, 2, 3, 5, 6, 7, 4, 8))
      << "nine facts each before the next of a";
}

TEST_F(SchedulerTest, OtherSettingsRevertsStatisticsAndLessUrgentOnesAreNotTakenAlong) {
  Add(1, Alike("main", {1}));
  Add(2, Alike("main", {2}, "other settings"));
  EXPECT_THAT(Next(), ElementsAre(1));
  End(1);
  Add(3, Revert("a", "main"));
  Add(4, Alike("main", {4}));
  EXPECT_THAT(Next(), ElementsAre(2));
  End(2);
  EXPECT_THAT(Next(), ElementsAre(3));
  End(3);
  Add(5, Statistics("a"));
  Add(6, Alike("main", {6}));
  EXPECT_THAT(Next(), ElementsAre(4));
  End(4);
  EXPECT_THAT(Next(), ElementsAre(5));
  End(5);
  Add(7, Alike("main", {7}), Priority::kBatch);
  EXPECT_THAT(Next(), ElementsAre(6)) << "a large batch must not keep the urgent one waiting";
  End(6);
  EXPECT_THAT(Next(), ElementsAre(7));
}

TEST_F(SchedulerTest, AGroupHasBounds) {
  std::vector<std::uint64_t> many;
  for (std::uint64_t slot = 100; slot < 100 + kFactsTogetherMax - 1; ++slot) many.push_back(slot);
  Add(1, Alike("main", {1}));
  Add(2, Alike("main", many));
  for (int i = 3; i < 3 + 20; ++i) Add(i, Alike("main", {static_cast<std::uint64_t>(i)}));
  EXPECT_THAT(Next(), ElementsAre(1, 2)) << "a thousand facts";
  End(1);
  EXPECT_EQ(Next().size(), kTogetherMax);
}

TEST_F(SchedulerTest, PlacesFollowUrgencyAndAcceptance) {
  Add(1, Commit("a", "main"), Priority::kBatch);
  Add(2, Commit("b", "main"));
  Add(3, Commit("c", "main"), Priority::kInteractive);
  EXPECT_EQ(scheduler_.Places(now_),
            (std::map<OperationId, std::size_t>{{Id(1), 2}, {Id(2), 1}, {Id(3), 0}}));
  EXPECT_TRUE(scheduler_.Remove(Id(2)));
  EXPECT_FALSE(scheduler_.Remove(Id(2)));
  EXPECT_EQ(scheduler_.Places(now_), (std::map<OperationId, std::size_t>{{Id(1), 1}, {Id(3), 0}}));
  EXPECT_EQ(scheduler_.waiting("a"), 1U);
  EXPECT_EQ(scheduler_.waiting("b"), 0U);
}

// ---- Random operations against an oracle that knows the rules pair by pair
// -----------------------------------------------------------------------------------

struct Known {
  Scheduler::Item item;
  enum class State { kWaits, kRuns, kGone } state = State::kWaits;
  int run = 0;  // of kRuns: the first one's number
};

class Oracle {
 public:
  std::map<int, Known> all;  // by number

  static bool MustFollow(const Demand& later, const Demand& earlier) {
    if (later.repo != earlier.repo) return false;
    if (earlier.role == Role::kImports) return true;
    if (!later.branch.empty() && later.branch == earlier.branch) return true;
    const bool counts = later.role == Role::kCounts || earlier.role == Role::kCounts;
    const auto is_either = [](const Demand& demand) {
      return demand.role == Role::kCounts || demand.role == Role::kEdits;
    };
    return counts && is_either(later) && is_either(earlier);
  }
  // What started `run` may be passed by its own members.
  bool IsHeldUp(int number, int run) const {
    return std::ranges::any_of(all, [&](const auto& entry) {
      const bool counts = entry.second.state == Known::State::kRuns
                              ? entry.second.run != run
                              : entry.second.state == Known::State::kWaits && entry.first < number;
      return counts && entry.first != number &&
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
    const std::size_t kind = Draw(11);
    if (kind == 0) demand = Import(repo);
    if (kind == 1) demand = Statistics(repo);
    if (kind == 2) demand = Evaluation(repo);
    if (kind == 3) demand = Revert(repo, branch);
    if (kind == 4) demand = Export(repo);
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

  SeededRandom random_{GetParam()};
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
}  // namespace emend::coordinator::jobs::scheduler_test
