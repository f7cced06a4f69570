#include <random>
#include <set>

#include "tests/storage/history/history_fixture.h"
#include "tests/storage/objects/counting_kv.h"
#include "tests/storage/objects/test_seed.h"

namespace emend::storage::history::walk_test {
namespace {

using emend::test::IsOkAndHolds;
using emend::test::StatusIs;
using test::Ids;
using test::IsAncestor;
using ::testing::ElementsAre;
using ::testing::ElementsAreArray;

class WalkTest : public test::HistoryTest {
 protected:
  std::vector<CommitId> Log(const CommitId& from, std::size_t count_max = 1000) {
    std::vector<CommitId> ids;
    for (const NumberedCommit& entry : Must(repo().Log(from, count_max))) ids.push_back(entry.id);
    return ids;
  }
};

TEST_F(WalkTest, TheLogIsNewestFirst) {
  const CommitId a = Loose({import_}, 10);
  const CommitId b = Loose({a}, 20);
  EXPECT_THAT(Log(b), ElementsAre(b, a, import_));
  EXPECT_THAT(Log(b, 2), ElementsAre(b, a));
  EXPECT_THAT(Log(b, 0), ElementsAre());
}

TEST_F(WalkTest, BranchesAreWovenByTime) {
  const CommitId a = Loose({import_}, 10);
  const CommitId left1 = Loose({a}, 20);
  const CommitId right1 = Loose({a}, 30);
  const CommitId left2 = Loose({left1}, 40);
  const CommitId right2 = Loose({right1}, 50);
  const CommitId merge = Loose({left2, right2}, 60);
  EXPECT_THAT(Log(merge), ElementsAre(merge, right2, left2, right1, left1, a, import_));
}

TEST_F(WalkTest, ChildrenComeFirstEvenAgainstTheClock) {
  const CommitId a = Loose({import_}, 1000);
  const CommitId late_clock = Loose({a}, 5000);
  const CommitId early_clock = Loose({late_clock}, 10);
  const CommitId other = Loose({a}, 3000);
  const CommitId merge = Loose({early_clock, other, late_clock}, 4000);
  EXPECT_THAT(Log(merge), ElementsAre(merge, other, early_clock, late_clock, a, import_));
}

TEST_F(WalkTest, ALinearHistoryIsReadOnlyAsFarAsAsked) {
  CommitId head = import_;
  for (int i = 0; i < 100; ++i) head = Loose({head}, i);
  objects::test::CountingKv counting(*store_);
  const Repository counted = Must(Repository::Open(counting, RepoName("atlas")));
  counting.reads = 0;
  EXPECT_EQ(Must(counted.Log(head, 5)).size(), 5u);
  EXPECT_LE(counting.reads.load(), 6u);
}

TEST_F(WalkTest, RandomHistoriesAreLoggedOnceEachAndChildrenFirst) {
  std::mt19937_64 random(emend::test::TestSeed());
  for (int round = 0; round < 20; ++round) {
    std::vector<CommitId> commits = {import_};
    for (int i = 0; i < 60; ++i) {
      std::vector<CommitId> parents;
      const std::size_t count = 1 + random() % 3;
      for (std::size_t k = 0; k < count; ++k)
        parents.push_back(
            commits[commits.size() - 1 - random() % std::min<std::size_t>(commits.size(), 6)]);
      commits.push_back(Loose(parents, static_cast<std::int64_t>(random() % 50)));
    }
    const std::vector<CommitId> log = Log(commits.back());
    std::set<CommitId> seen;
    for (const CommitId& id : log) {
      for (const CommitId& parent : Must(repo().ReadCommit(id)).parents)
        ASSERT_FALSE(seen.contains(parent));
      ASSERT_TRUE(seen.insert(id).second);
    }
    for (const CommitId& id : commits)
      ASSERT_THAT(IsAncestor(repo(), id, commits.back()), IsOkAndHolds(seen.contains(id)));
    const std::vector<CommitId> begin(log.begin(),
                                      log.begin() + static_cast<std::ptrdiff_t>(log.size() / 2));
    ASSERT_THAT(Log(commits.back(), log.size() / 2), ElementsAreArray(begin));
  }
}

TEST_F(WalkTest, WhoBroughtAnEditInIsTheNewestCommitThatIsNoMerge) {
  const Ids edits = StoreEdits(0, 3);
  const CommitId first = Commit("main", {edits[0], edits[1]});
  Commit("main", {}, {edits[0]});
  const CommitId again = Commit("main", {edits[0]});
  Branch("side", again);
  const CommitId beside = Commit("side", {edits[2]});
  const CommitId merge = MergeInto("main", beside);
  ASSERT_THAT(Active(merge), ElementsAreArray(edits));
  const auto added_by = Must(repo().AddedBy(merge, edits));
  ASSERT_EQ(added_by.size(), 3U);
  EXPECT_EQ(added_by.at(edits[0]).id, again);
  EXPECT_EQ(added_by.at(edits[1]).id, first);
  EXPECT_EQ(added_by.at(edits[2]).id, beside);
  EXPECT_EQ(Must(repo().AddedBy(first, edits)).size(), 2U) << "the third came later";
}

TEST_F(WalkTest, ACommitIsItsOwnAncestor) {
  const CommitId a = Loose({import_}, 1);
  EXPECT_THAT(IsAncestor(repo(), a, a), IsOkAndHolds(true));
  EXPECT_THAT(IsAncestor(repo(), import_, a), IsOkAndHolds(true));
  EXPECT_THAT(IsAncestor(repo(), a, import_), IsOkAndHolds(false));
}

TEST_F(WalkTest, AMissingParentIsNotFound) {
  EXPECT_THAT(repo().Log(Loose({CommitId(Sha256("gone"))}, 1), 10),
              StatusIs(StatusCode::kNotFound));
}

}  // namespace
}  // namespace emend::storage::history::walk_test
