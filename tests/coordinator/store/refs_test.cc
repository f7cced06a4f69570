#include "coordinator/store/refs.h"

#include <gmock/gmock.h>

#include "tests/support/memory_history.h"
#include "tests/support/status_matchers.h"

namespace emend::coordinator::store::refs_test {
namespace {

using storage::history::RefKind;
using test::IsOk;
using test::StatusIs;
using ::testing::ElementsAre;
using ::testing::Field;

class RefsTest : public testing::Test, protected storage::history::test::MemoryHistory {
 protected:
  RefMove To(const std::string& revision) {
    return {.repo = RepoName("atlas"), .name = "main", .expected = Head(), .revision = revision};
  }
  const answers::Caller caller_{{"ada", "tk-1"}, {"merge"}};
};

TEST_F(RefsTest, AMoveSaysFromWhereToWhereUnlessItHasAReason) {
  const CommitId first = Commit("main", StoreEdits(1, 1));
  RefMove move = To("main~1");
  ASSERT_THAT(MoveRef(*journal_, caller_, move), IsOk());
  EXPECT_EQ(Head(), import_);
  EXPECT_EQ(repo().Reflog("main", 1)->front().reason,
            "reset: " + first.Hex() + " -> " + import_.Hex());
  move.revision = first.Hex();
  EXPECT_THAT(MoveRef(*journal_, caller_, move), StatusIs(StatusCode::kConflict, "stale_head"));
  move = To(first.Hex());
  move.reason = "undo the reset";
  ASSERT_THAT(MoveRef(*journal_, caller_, move), IsOk());
  EXPECT_EQ(repo().Reflog("main", 1)->front().reason, "undo the reset");
}

TEST_F(RefsTest, AMoveToWhereItIsWritesNothing) {
  const std::uint64_t head = journal_->head();
  EXPECT_THAT(MoveRef(*journal_, caller_, To("main")), IsOk());
  EXPECT_EQ(journal_->head(), head);
}

TEST_F(RefsTest, OnlyWhoHasTheScopeMergeMoves) {
  EXPECT_THAT(MoveRef(*journal_, {{"bob", "tk-2"}, {"read", "admin"}}, To("main")),
              StatusIs(StatusCode::kPermissionDenied));
}

TEST_F(RefsTest, EveryRefOfEveryRepoCanBeAsked) {
  CreateRepo("other", 'o');
  Tag("v1", Head());
  EXPECT_THAT(*ListModels(*store_),
              ElementsAre(Field(&answers::ServedModel::ref, "main"),
                          Field(&answers::ServedModel::ref, "v1"),
                          Field(&answers::ServedModel::repo, RepoName("other"))));
}

}  // namespace
}  // namespace emend::coordinator::store::refs_test
