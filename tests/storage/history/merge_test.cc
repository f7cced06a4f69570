#include "storage/history/merge.h"

#include <random>
#include <set>

#include "tests/storage/history/history_fixture.h"
#include "tests/storage/objects/test_seed.h"

namespace emend::storage::history::merge_test {
namespace {

using emend::test::IsOkAndHolds;
using emend::test::StatusIs;
using test::Ids;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

class MergeTest : public test::HistoryTest {
 protected:
  // What ours becomes by the plan.
  Ids Apply(const CommitId& ours, const MergePlan& plan) {
    std::set<EditId> ids;
    for (const EditId& id : Active(ours)) ids.insert(id);
    for (const EditId& id : plan.removed) EXPECT_EQ(ids.erase(id), 1U) << "it is there";
    for (const EditId& id : plan.added) EXPECT_TRUE(ids.insert(id).second) << "it is not there";
    return {ids.begin(), ids.end()};
  }
};

TEST_F(MergeTest, TheMergeBaseIsTheNewestCommonAncestor) {
  const CommitId a = Loose({import_}, 1);
  const CommitId left = Loose({a}, 2);
  const CommitId right = Loose({a}, 3);
  EXPECT_THAT(MergeBase(repo(), left, right), IsOkAndHolds(a));
  EXPECT_THAT(MergeBase(repo(), left, a), IsOkAndHolds(a));
  EXPECT_THAT(MergeBase(repo(), left, left), IsOkAndHolds(left));
  const CommitId merge = Loose({left, right}, 4);
  EXPECT_THAT(MergeBase(repo(), merge, Loose({right}, 5)), IsOkAndHolds(right));
}

TEST_F(MergeTest, OfSeveralMergeBasesTheNewestIsTaken) {
  const CommitId left = Loose({import_}, 2);
  const CommitId right = Loose({import_}, 3);
  const CommitId one = Loose({left, right}, 4);
  const CommitId other = Loose({right, left}, 5);
  EXPECT_THAT(MergeBase(repo(), one, other), IsOkAndHolds(right));
  EXPECT_THAT(MergeBase(repo(), other, one), IsOkAndHolds(right));
}

TEST_F(MergeTest, UnrelatedHistoriesHaveNoMergeBase) {
  EXPECT_THAT(MergeBase(repo(), import_, Loose({}, 1)), StatusIs(StatusCode::kFailedPrecondition));
}

TEST_F(MergeTest, RandomHistoriesMeetWhereTheDefinitionSays) {
  std::mt19937_64 random(emend::test::TestSeed());
  for (int round = 0; round < 40; ++round) {
    const bool is_clock_right = round % 2 == 0;
    std::vector<CommitId> commits = {import_};
    for (int i = 0; i < 30; ++i) {
      std::vector<CommitId> parents;
      const std::size_t count = 1 + random() % 2;
      for (std::size_t k = 0; k < count; ++k)
        parents.push_back(
            commits[commits.size() - 1 - random() % std::min<std::size_t>(commits.size(), 7)]);
      const std::int64_t begin = clock_.now_ms + (is_clock_right ? i / 3 : 0);
      commits.push_back(
          Loose(parents, begin + static_cast<std::int64_t>(is_clock_right ? 0 : random() % 10)));
    }
    for (int pair = 0; pair < 10; ++pair) {
      const CommitId& a = commits[random() % commits.size()];
      const CommitId& b = commits[random() % commits.size()];
      ASSERT_EQ(Must(MergeBase(repo(), a, b)), Must(test::SlowMergeBase(repo(), a, b)));
      const auto from_b = Must(test::Ancestors(repo(), b));
      std::set<CommitId> expected;
      for (const auto& [id, commit] : Must(test::Ancestors(repo(), a))) {
        if (!from_b.contains(id)) expected.insert(id);
      }
      std::set<CommitId> beyond;
      for (const NumberedCommit& one : Must(CommitsBeyond(repo(), a, b))) beyond.insert(one.id);
      if (is_clock_right) {
        ASSERT_EQ(beyond, expected);
      } else {
        ASSERT_TRUE(std::ranges::includes(beyond, expected)) << "none is overlooked";
      }
    }
  }
}

TEST_F(MergeTest, BothSidesChangesComeTogether) {
  const Ids common = StoreEdits(0, 4);
  Commit("main", common);
  Branch("side", Head());
  const CommitId ours = Commit("main", {StoreEdit(10)}, {common[0]});
  const CommitId theirs = Commit("side", {StoreEdit(20)}, {common[0], common[1]});
  const MergePlan plan = Must(PlanMerge(repo(), ours, theirs, {}));
  EXPECT_EQ(plan.kind, MergeKind::kMerge);
  EXPECT_THAT(plan.conflicts, IsEmpty());
  EXPECT_EQ(Apply(ours, plan), test::Merge(common, Active(ours), Active(theirs)));
  const MergePlan other = Must(PlanMerge(repo(), theirs, ours, {}));
  EXPECT_EQ(Apply(theirs, other), Apply(ours, plan));
}

TEST_F(MergeTest, OneSideBehindTheOtherIsSaid) {
  const CommitId before = Commit("main", {StoreEdit(0)});
  const CommitId after = Commit("main", {StoreEdit(1)});
  EXPECT_EQ(Must(PlanMerge(repo(), after, before, {})).kind, MergeKind::kUpToDate);
  EXPECT_EQ(Must(PlanMerge(repo(), after, after, {})).kind, MergeKind::kUpToDate);
  const MergePlan forward = Must(PlanMerge(repo(), before, after, {}));
  EXPECT_EQ(forward.kind, MergeKind::kFastForward);
  EXPECT_EQ(Apply(before, forward), Active(after));
}

TEST_F(MergeTest, ASlotThatBothChangedIsAConflictUntilItIsDecided) {
  const EditId old_edit = StoreEdit(0, "old");
  Commit("main", {old_edit});
  Branch("side", Head());
  const EditId mine = StoreEdit(0, "mine");
  const EditId yours = StoreEdit(0, "yours");
  const CommitId ours = Commit("main", {mine}, {old_edit});
  const CommitId theirs = Commit("side", {yours, StoreEdit(5)}, {old_edit});
  const MergePlan open = Must(PlanMerge(repo(), ours, theirs, {}));
  ASSERT_EQ(open.conflicts.size(), 1U);
  EXPECT_EQ(open.conflicts[0].slot.subject, "Person 0");
  EXPECT_EQ(open.conflicts[0].ours, mine);
  EXPECT_EQ(open.conflicts[0].theirs, yours);

  const auto with = [&](const Decisions& decisions) {
    const MergePlan plan = Must(PlanMerge(repo(), ours, theirs, decisions));
    EXPECT_THAT(plan.conflicts, IsEmpty());
    std::set<EditId> ids;
    for (const EditId& id : Apply(ours, plan)) ids.insert(id);
    return std::pair(ids.contains(mine), ids.contains(yours));
  };
  EXPECT_EQ(with({.otherwise = Side::kOurs}), std::pair(true, false));
  EXPECT_EQ(with({.otherwise = Side::kTheirs}), std::pair(false, true));
  EXPECT_EQ(with({.otherwise = Side::kBoth}), std::pair(true, true));
  EXPECT_EQ(with({.decided = {{yours, Side::kTheirs}}, .otherwise = Side::kOurs}),
            std::pair(false, true))
      << "what is decided comes first";
  EXPECT_EQ(with({.decided = {{mine, Side::kOurs}}, .otherwise = {}}), std::pair(true, false));
}

TEST_F(MergeTest, WhereBothSayTheSameOursStays) {
  Commit("main", {StoreEdit(9)});
  Branch("side", Head());
  const EditId mine = StoreEdit(0, "same");
  kv::WriteBatch batch;
  objects::Edit edit = MakeEdit(batch, 0, "same");
  edit.salt = "another salt 16b";
  const EditId yours = repo().objects().PutEdit(batch, edit);
  Must(store_->Write(batch, kv::Durability::kUnsynced));
  const CommitId ours = Commit("main", {mine});
  const CommitId theirs = Commit("side", {yours});
  const MergePlan plan = Must(PlanMerge(repo(), ours, theirs, {}));
  EXPECT_THAT(plan.conflicts, IsEmpty());
  EXPECT_THAT(plan.added, IsEmpty());
  EXPECT_THAT(plan.removed, IsEmpty());
}

TEST_F(MergeTest, StackedEditsOfASlotAreAllSettled) {
  Commit("main", {StoreEdit(9)});
  Branch("side", Head());
  const EditId mine = StoreEdit(0, "mine");
  const EditId same = [&] {
    kv::WriteBatch batch;
    objects::Edit edit = MakeEdit(batch, 0, "mine");
    edit.salt = "another salt 16b";
    const EditId id = repo().objects().PutEdit(batch, edit);
    Must(store_->Write(batch, kv::Durability::kUnsynced));
    return id;
  }();
  const EditId other = StoreEdit(0, "other");
  const CommitId ours = Commit("main", {mine});
  const CommitId theirs = Commit("side", {same, other});
  EXPECT_EQ(Must(PlanMerge(repo(), ours, theirs, {})).conflicts.size(), 1U)
      << "one of them says the same, the other does not";
  const MergePlan plan = Must(PlanMerge(repo(), ours, theirs, {.otherwise = Side::kOurs}));
  EXPECT_THAT(plan.added, IsEmpty());
}

TEST_F(MergeTest, WhatWasTakenOutStaysOutOfHistoriesThatMergedEachOther) {
  Branch("side", Head());
  const EditId poor = StoreEdit(1);
  const CommitId main_one = Commit("main", {poor});
  const CommitId side_one = Commit("side", {StoreEdit(2)});
  MergeInto("main", side_one);
  MergeInto("side", main_one);
  const CommitId reverted = Commit("main", {}, {poor});
  const MergePlan plan = Must(PlanMerge(repo(), reverted, Head("side"), {}));
  EXPECT_THAT(plan.added, IsEmpty()) << "main has taken it out since";
  EXPECT_THAT(plan.removed, IsEmpty());
  const MergePlan back = Must(PlanMerge(repo(), Head("side"), reverted, {}));
  EXPECT_THAT(back.removed, ElementsAre(poor));
}

TEST_F(MergeTest, AMergedHistoryMergesOn) {
  Commit("main", StoreEdits(0, 2));
  Branch("side", Head());
  Commit("side", {StoreEdit(10)});
  Commit("main", {StoreEdit(20)});
  const CommitId merged = MergeInto("main", Head("side"));
  EXPECT_EQ(Must(PlanMerge(repo(), Head(), Head("side"), {})).kind, MergeKind::kUpToDate);
  const EditId late = StoreEdit(11);
  Commit("side", {late});
  const MergePlan plan = Must(PlanMerge(repo(), merged, Head("side"), {}));
  EXPECT_THAT(plan.added, ElementsAre(late));
  EXPECT_THAT(plan.removed, IsEmpty());
}

}  // namespace
}  // namespace emend::storage::history::merge_test
