#include "storage/objects/edit_set.h"

#include <algorithm>
#include <random>
#include <set>

#include "storage/objects/trie_node.h"
#include "tests/storage/objects/counting_kv.h"
#include "tests/storage/objects/test_seed.h"
#include "tests/support/memory_kv.h"
#include "tests/support/status_matchers.h"

namespace emend::storage::objects::edit_set_test {
namespace {

using emend::test::IsOk;
using emend::test::IsOkAndHolds;
using emend::test::StatusIs;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

using Ids = std::vector<EditId>;

EditId IdOfNumber(std::size_t number) { return EditId(Sha256(std::to_string(number))); }

Ids Numbered(std::size_t first, std::size_t count) {
  Ids ids;
  for (std::size_t i = 0; i < count; ++i) ids.push_back(IdOfNumber(first + i));
  return ids;
}

// Ids that share all nibbles before the last byte: the deepest trie there can be.
Ids Neighbours(std::size_t count) {
  Ids ids;
  for (std::size_t i = 0; i < count; ++i) {
    Digest digest = Sha256("neighbours");
    digest.bytes.back() = static_cast<std::uint8_t>(i);
    ids.push_back(EditId(digest));
  }
  return ids;
}

class EditSetTest : public ::testing::Test {
 protected:
  ObjectId Root(const Ids& ids) { return Change(Empty(), ids, {}); }
  ObjectId Empty() {
    kv::WriteBatch batch;
    const ObjectId root = EditSets(objects_).Empty(batch);
    EXPECT_THAT(store_->Write(batch, kv::Durability::kUnsynced), IsOk());
    return root;
  }
  ObjectId Change(const ObjectId& root, const Ids& added, const Ids& removed) {
    kv::WriteBatch batch;
    const Result<ObjectId> changed = EditSets(objects_).Change(batch, root, added, removed);
    EXPECT_THAT(changed, IsOk());
    EXPECT_THAT(store_->Write(batch, kv::Durability::kUnsynced), IsOk());
    return changed.ok() ? *changed : ObjectId();
  }
  Result<bool> Contains(const ObjectId& root, const EditId& id) const {
    EMEND_ASSIGN_OR_RETURN(const Ids ids, sets_.List(root));
    return std::ranges::binary_search(ids, id);
  }

  std::unique_ptr<emend::test::MemoryKv> store_ = emend::test::NewMemoryKv();
  test::CountingKv counting_{*store_};
  ObjectStore objects_{counting_, RepoId("repo-id-16-bytes")};
  EditSets sets_{objects_};
};

TEST_F(EditSetTest, TheSameSetHasTheSameRootWhateverTheOrder) {
  std::mt19937_64 random(emend::test::TestSeed());
  Ids ids = Numbered(0, 300);
  const Ids extra = Numbered(1000, 40);
  const ObjectId expected = Root(ids);
  for (int round = 0; round < 1000; ++round) {
    std::shuffle(ids.begin(), ids.end(), random);
    kv::WriteBatch batch;
    EditSets sets(objects_);
    ObjectId root = sets.Empty(batch);
    // In a few portions of random size, with strangers that come and go.
    for (std::size_t at = 0; at < ids.size();) {
      const std::size_t count = std::min<std::size_t>(ids.size() - at, 1 + random() % 120);
      Ids with_strangers(ids.begin() + static_cast<std::ptrdiff_t>(at),
                         ids.begin() + static_cast<std::ptrdiff_t>(at + count));
      const Ids strangers(extra.begin(),
                          extra.begin() + static_cast<std::ptrdiff_t>(random() % extra.size()));
      with_strangers.insert(with_strangers.end(), strangers.begin(), strangers.end());
      ASSERT_OK_AND_ASSIGN(root, sets.Change(batch, root, with_strangers, {}));
      ASSERT_OK_AND_ASSIGN(root, sets.Change(batch, root, {}, strangers));
      at += count;
    }
    ASSERT_EQ(root, expected) << "round " << round;
  }
}

TEST_F(EditSetTest, RandomChangesAgreeWithASet) {
  std::mt19937_64 random(emend::test::TestSeed());
  Ids universe = Numbered(0, 400);
  const Ids close = Neighbours(100);
  universe.insert(universe.end(), close.begin(), close.end());
  std::set<EditId> oracle;
  ObjectId root = Empty();
  for (int round = 0; round < 1000; ++round) {
    Ids added;
    Ids removed;
    const std::size_t count = random() % (round % 10 == 0 ? 200 : 8);
    std::shuffle(universe.begin(), universe.end(), random);
    for (std::size_t i = 0; i < count; ++i)
      (oracle.contains(universe[i]) ? removed : added).push_back(universe[i]);
    const Ids before(oracle.begin(), oracle.end());
    oracle.insert(added.begin(), added.end());
    for (const EditId& id : removed) oracle.erase(id);
    const ObjectId changed = Change(root, added, removed);
    ASSERT_THAT(sets_.List(changed), IsOkAndHolds(Ids(oracle.begin(), oracle.end())))
        << "round " << round;
    ASSERT_OK_AND_ASSIGN(const EditSetDiff diff, sets_.Diff(root, changed));
    std::sort(added.begin(), added.end());
    std::sort(removed.begin(), removed.end());
    ASSERT_EQ(diff.added, added) << "round " << round;
    ASSERT_EQ(diff.removed, removed) << "round " << round;
    ASSERT_THAT(Contains(changed, universe[0]), IsOkAndHolds(oracle.contains(universe[0])));
    if (round % 50 == 0) {
      ASSERT_EQ(changed, Root(Ids(oracle.begin(), oracle.end()))) << "round " << round;
    }
    root = changed;
  }
  EXPECT_EQ(Change(root, {}, Ids(oracle.begin(), oracle.end())), Empty());
}

TEST_F(EditSetTest, AChangeOfAFewSharesAllOtherNodes) {
  const ObjectId root = Root(Numbered(0, 5000));
  kv::WriteBatch batch;
  ASSERT_THAT(EditSets(objects_).Change(batch, root, {IdOfNumber(9001)}, {IdOfNumber(7)}), IsOk());
  // at most depth nodes for each id; the 5,000 are about 700 nodes
  EXPECT_LE(batch.changes().size(), 9u);
}

TEST_F(EditSetTest, ADiffReadsWhatDiffersAndNotTheSets) {
  const ObjectId from = Root(Numbered(0, 5000));
  const ObjectId to = Change(from, {IdOfNumber(9001), IdOfNumber(9002)}, {IdOfNumber(7)});
  counting_.reads = 0;
  ASSERT_OK_AND_ASSIGN(const EditSetDiff diff, sets_.Diff(from, to));
  EXPECT_THAT(diff.removed, ElementsAre(IdOfNumber(7)));
  EXPECT_EQ(diff.added.size(), 2u);
  // Three ids, at most four levels, two sets; a leaf on one side may be a small branch on the
  // other.
  EXPECT_LE(counting_.reads.load(), 3u * 4 * 2 + 16);
  counting_.reads = 0;
  ASSERT_THAT(sets_.Diff(from, from), IsOk());
  EXPECT_EQ(counting_.reads.load(), 0u);
}

TEST_F(EditSetTest, AChangeReadsOnlyThePathsItChanges) {
  const ObjectId root = Root(Numbered(0, 5000));
  counting_.reads = 0;
  Change(root, {IdOfNumber(9001)}, {});
  EXPECT_LE(counting_.reads.load(), 5u);
}

TEST_F(EditSetTest, ALeafBecomesABranchBeyondSixteenAndBack) {
  const ObjectId sixteen = Root(Numbered(0, kLeafMax));
  const ObjectId seventeen = Change(sixteen, {IdOfNumber(kLeafMax)}, {});
  ASSERT_OK_AND_ASSIGN(const std::string leaf, objects_.ReadObject(sixteen));
  ASSERT_OK_AND_ASSIGN(const std::string branch, objects_.ReadObject(seventeen));
  EXPECT_FALSE(DecodeNode(leaf)->is_branch());
  EXPECT_TRUE(DecodeNode(branch)->is_branch());
  EXPECT_EQ(Change(seventeen, {}, {IdOfNumber(kLeafMax)}), sixteen);
}

TEST_F(EditSetTest, IdsThatDifferInTheLastNibblesMakeADeepTrie) {
  const Ids ids = Neighbours(256);
  const ObjectId root = Root(ids);
  EXPECT_THAT(sets_.List(root), IsOkAndHolds(ids));
  EXPECT_THAT(Contains(root, ids[255]), IsOkAndHolds(true));
  EXPECT_THAT(Contains(root, IdOfNumber(1)), IsOkAndHolds(false));
  EXPECT_EQ(Change(root, {}, ids), Empty());
}

TEST_F(EditSetTest, AddingWhatIsThereOrRemovingWhatIsNotIsRefused) {
  for (const std::size_t size : {3, 100, 5000}) {
    const ObjectId root = Root(Numbered(0, size));
    kv::WriteBatch batch;
    EXPECT_THAT(sets_.Change(batch, root, {IdOfNumber(1)}, {}),
                StatusIs(StatusCode::kFailedPrecondition));
    EXPECT_THAT(sets_.Change(batch, root, {}, {IdOfNumber(9999)}),
                StatusIs(StatusCode::kFailedPrecondition));
    EXPECT_THAT(sets_.Change(batch, root, {IdOfNumber(9999)}, {IdOfNumber(9999)}),
                StatusIs(StatusCode::kFailedPrecondition));
    EXPECT_THAT(sets_.Change(batch, root, {IdOfNumber(9999), IdOfNumber(9999)}, {}),
                StatusIs(StatusCode::kFailedPrecondition));
    EXPECT_THAT(sets_.Change(batch, root, {}, Numbered(1, size)),
                StatusIs(StatusCode::kFailedPrecondition));
  }
}

TEST_F(EditSetTest, NodesThatAreNotWrittenYetAreReadFromTheSameObject) {
  kv::WriteBatch batch;
  EditSets sets(objects_);
  ASSERT_OK_AND_ASSIGN(const ObjectId root,
                       sets.Change(batch, sets.Empty(batch), Numbered(0, 100), {}));
  ASSERT_OK_AND_ASSIGN(const Ids ids, sets.List(root));
  EXPECT_EQ(ids.size(), 100u);
  EXPECT_THAT(EditSets(objects_).List(root), StatusIs(StatusCode::kNotFound));
}

TEST_F(EditSetTest, TheEmptySetHasOneRoot) {
  EXPECT_THAT(sets_.List(Empty()), IsOkAndHolds(IsEmpty()));
  EXPECT_EQ(Change(Root(Numbered(0, 50)), {}, Numbered(0, 50)), Empty());
  EXPECT_EQ(Empty().Hex(), "7d90198d304b23f1f06cff309902d30088ad8adf42a74eec21f7fd42d2312a13");
}

}  // namespace
}  // namespace emend::storage::objects::edit_set_test
