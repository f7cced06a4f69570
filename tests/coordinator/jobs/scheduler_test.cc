#include "coordinator/jobs/scheduler.h"

#include <algorithm>
#include <set>

#include "tests/coordinator/jobs/demands.h"
#include "tests/support/status_matchers.h"

namespace emend::coordinator::jobs::scheduler_test {
namespace {

using namespace std::chrono_literals;
using storage::records::Priority;
using testing::ElementsAre;
using testing::IsEmpty;
using testing::UnorderedElementsAre;

constexpr Capacity kOne{.workers = 1, .local = 1, .files = 1};
constexpr Capacity kMany{.workers = 100, .local = 100, .files = 100};

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

TEST_F(SchedulerTest, ARemovalIsAloneOnItsRepoAndBesideNothingOfTheWholeStore) {
  Add(1, Evaluation("a"));
  Add(2, Removal("a"));
  Add(3, Evaluation("a"));
  Add(4, Fsck());
  Add(5, Evaluation("b"));
  EXPECT_THAT(Next(), ElementsAre(1));
  EXPECT_THAT(Next(), ElementsAre(5));
  EXPECT_THAT(Next(), IsEmpty());
  End(1);
  EXPECT_THAT(Next(), ElementsAre(2));
  EXPECT_THAT(Next(), IsEmpty());
  End(2);
  const std::vector<int> either = Next();
  const std::vector<int> other = Next();
  EXPECT_THAT(std::vector({either.at(0), other.at(0)}), UnorderedElementsAre(3, 4));
  Add(6, Removal("b"));
  End(5);
  EXPECT_THAT(Next(), IsEmpty()) << "fsck still reads";
  End(4);
  EXPECT_THAT(Next(), ElementsAre(6));
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

}  // namespace
}  // namespace emend::coordinator::jobs::scheduler_test
