#include "storage/history/set_algebra.h"

#include <random>
#include <set>

#include "tests/storage/history/history_fixture.h"
#include "tests/storage/objects/test_seed.h"

namespace emend::storage::history::set_algebra_test {
namespace {

using emend::test::StatusIs;
using test::Ids;
using test::Merge;
using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::SizeIs;

Ids Sorted(Ids ids) {
  std::sort(ids.begin(), ids.end());
  return ids;
}

Ids Numbers(const std::vector<int>& numbers) {
  Ids ids;
  for (const int number : numbers) ids.push_back(EditId(Sha256(std::to_string(number))));
  return Sorted(std::move(ids));
}

TEST(Merge, TakesBothSidesChanges) {
  EXPECT_EQ(Merge(Numbers({1, 2, 3}), Numbers({1, 2, 4}), Numbers({2, 3, 5})), Numbers({2, 4, 5}));
}

TEST(Merge, WhatOneSideTookOutStaysOut) {
  EXPECT_EQ(Merge(Numbers({1, 2}), Numbers({1}), Numbers({1, 2, 3})), Numbers({1, 3}));
  EXPECT_EQ(Merge(Numbers({1, 2}), Numbers({1, 2}), Numbers({})), Numbers({}));
}

TEST(Merge, WhatBothAddedIsThereOnce) {
  EXPECT_EQ(Merge(Numbers({}), Numbers({1, 2}), Numbers({2, 3})), Numbers({1, 2, 3}));
}

TEST(Merge, AgreesWithItsDefinitionElementByElementAndIsSymmetric) {
  std::mt19937_64 random(emend::test::TestSeed());
  for (int round = 0; round < 500; ++round) {
    std::vector<int> sets[3];
    std::vector<int> expected;
    for (int id = 0; id < 20; ++id) {
      const bool in[3] = {random() % 2 == 0, random() % 2 == 0, random() % 2 == 0};
      for (int k = 0; k < 3; ++k) {
        if (in[k]) sets[k].push_back(id);
      }
      if (in[0] ? in[1] && in[2] : in[1] || in[2]) expected.push_back(id);
    }
    const Ids merged = Merge(Numbers(sets[0]), Numbers(sets[1]), Numbers(sets[2]));
    ASSERT_EQ(merged, Numbers(expected));
    ASSERT_EQ(merged, Merge(Numbers(sets[0]), Numbers(sets[2]), Numbers(sets[1])));
  }
}

TEST(DiffOf, IsWhatComesAndWhatGoes) {
  const objects::EditSetDiff diff = DiffOf(Numbers({1, 2}), Numbers({2, 3}));
  EXPECT_EQ(diff.added, Numbers({3}));
  EXPECT_EQ(diff.removed, Numbers({1}));
}

class PlanTest : public test::HistoryTest {};

TEST_F(PlanTest, ARevertTakesOutWhatACommitAdded) {
  const Ids first = StoreEdits(0, 3);
  const CommitId commit = Commit("main", first);
  Commit("main", StoreEdits(10, 3));
  const RevertPlan plan = Must(PlanRevert(repo(), RefOf(), commit));
  EXPECT_EQ(plan.removed, first);
  EXPECT_THAT(plan.added, IsEmpty());
  EXPECT_THAT(plan.blocked, IsEmpty());
}

TEST_F(PlanTest, ARevertPutsBackWhatACommitTookOut) {
  const EditId old_edit = StoreEdit(0, "old");
  const EditId new_edit = StoreEdit(0, "new");
  Commit("main", {old_edit});
  const CommitId superseding = Commit("main", {new_edit}, {old_edit});
  const RevertPlan plan = Must(PlanRevert(repo(), RefOf(), superseding));
  EXPECT_THAT(plan.removed, ElementsAre(new_edit));
  EXPECT_THAT(plan.added, ElementsAre(old_edit));
}

TEST_F(PlanTest, ARevertOfARevertRestoresTheState) {
  const CommitId commit = Commit("main", StoreEdits(0, 5));
  const RevertPlan undo = Must(PlanRevert(repo(), RefOf(), commit));
  const CommitId revert = Commit("main", undo.added, undo.removed);
  const RevertPlan redo = Must(PlanRevert(repo(), RefOf(), revert));
  Commit("main", redo.added, redo.removed);
  EXPECT_EQ(Must(repo().ReadCommit(Head())).state, Must(repo().ReadCommit(commit)).state);
}

TEST_F(PlanTest, EditsThatAreGoneAlreadyAreSkipped) {
  const Ids edits = StoreEdits(0, 3);
  const CommitId commit = Commit("main", edits);
  Commit("main", {}, {edits[0]});
  EXPECT_THAT(Must(PlanRevert(repo(), RefOf(), commit)).removed, ElementsAre(edits[1], edits[2]));
}

TEST_F(PlanTest, RevertingTwiceIsNothingToRevert) {
  const Ids edits = StoreEdits(0, 3);
  const CommitId commit = Commit("main", edits);
  Commit("main", {}, edits);
  EXPECT_THAT(PlanRevert(repo(), RefOf(), commit),
              StatusIs(StatusCode::kFailedPrecondition, "nothing_to_revert"));
  EXPECT_THAT(PlanRevert(repo(), RefOf(), import_),
              StatusIs(StatusCode::kFailedPrecondition, "nothing_to_revert"));
}

TEST_F(PlanTest, ARefusedRevertNamesTheCommitsThatMadeItSo) {
  const EditId one = StoreEdit(0, "one");
  const EditId two = StoreEdit(0, "two");
  const EditId three = StoreEdit(0, "three");
  const CommitId first = Commit("main", {one});
  const CommitId second = Commit("main", {two}, {one});
  const CommitId third = Commit("main", {three}, {two});
  const auto refusal = [&](const CommitId& commit) {
    return PlanRevert(repo(), RefOf(), commit).status().message();
  };
  EXPECT_THAT(refusal(first), HasSubstr("superseded by " + second.Short()));
  EXPECT_THAT(refusal(first), Not(HasSubstr("held by")));
  EXPECT_THAT(refusal(second), AllOf(HasSubstr("superseded by " + third.Short()),
                                     HasSubstr("held by " + third.Short())));
  EXPECT_THAT(refusal(import_),
              HasSubstr("to go back to it: emend reset " + repo().record().name.value() + "@main " +
                        import_.Short()));
}

TEST_F(PlanTest, ACommitOfAnotherBranchIsNotInTheHistory) {
  Branch("side", Head());
  const CommitId elsewhere = Commit("side", {StoreEdit(0)});
  Commit("main", {StoreEdit(1)});
  EXPECT_THAT(PlanRevert(repo(), RefOf(), elsewhere),
              StatusIs(StatusCode::kFailedPrecondition, "nothing_to_revert"));
  EXPECT_THAT(PlanRevert(repo(), RefOf(), elsewhere).status().message(),
              HasSubstr("it is not in main's history"));
}

TEST_F(PlanTest, AnEditWhoseSlotIsTakenDoesNotComeBack) {
  const EditId one = StoreEdit(0, "one");
  const EditId two = StoreEdit(0, "two");
  const EditId three = StoreEdit(0, "three");
  Commit("main", {one});
  const CommitId second = Commit("main", {two}, {one});
  Commit("main", {three}, {two});
  const EditId other = StoreEdit(1);
  EXPECT_THAT(PlanRevert(repo(), RefOf(), second),
              StatusIs(StatusCode::kFailedPrecondition, "nothing_to_revert"));
  const CommitId mixed = Commit("main", {other}, {three});
  Commit("main", {two}, {});
  const RevertPlan plan = Must(PlanRevert(repo(), RefOf(), mixed));
  EXPECT_THAT(plan.removed, ElementsAre(other));
  EXPECT_THAT(plan.added, IsEmpty());
  EXPECT_THAT(plan.blocked, ElementsAre(three));
}

TEST_F(PlanTest, AnUnknownCommitIsNotFound) {
  EXPECT_THAT(PlanRevert(repo(), RefOf(), CommitId(Sha256("unknown"))),
              StatusIs(StatusCode::kNotFound));
}

TEST_F(PlanTest, HeldSlotsTellWhichEditHoldsWhat) {
  const EditId one = StoreEdit(1, "one");
  const EditId two = StoreEdit(2, "two");
  const EditId stacked = StoreEdit(2, "three");
  Commit("main", {one, two, stacked});
  const SlotHolders holders = Must(HeldSlots(repo(), Must(repo().ReadCommit(Head())).state));
  EXPECT_THAT(holders, SizeIs(3));
  const auto [first, last] = holders.equal_range({"Person 1", "{} speaks", ""});
  EXPECT_EQ(std::distance(first, last), 1);
  EXPECT_EQ(first->second, one);
  EXPECT_EQ(holders.count({"Person 2", "{} speaks", ""}), 2u);
  EXPECT_EQ(holders.count({"Person 3", "{} speaks", ""}), 0u);
}

}  // namespace
}  // namespace emend::storage::history::set_algebra_test
