#include "tests/storage/history/history_fixture.h"

namespace emend::storage::history::revision_test {
namespace {

using emend::test::IsOk;
using emend::test::IsOkAndHolds;
using emend::test::StatusIs;
using ::testing::HasSubstr;

class RevisionTest : public test::HistoryTest {
 protected:
  RevisionTest() {
    first_ = Commit("main", StoreEdits(0, 1));
    Branch("dev", first_);
    second_ = Commit("main", StoreEdits(1, 1));
    side_ = Commit("dev", StoreEdits(2, 1));
    merge_ = MergeInto("main", side_);
  }

  CommitId first_;
  CommitId second_;
  CommitId side_;
  CommitId merge_;
};

TEST_F(RevisionTest, BranchesAndTagsAreFoundByNameAndByFullName) {
  Tag("v1", first_);
  EXPECT_THAT(repo().Resolve("main"), IsOkAndHolds(merge_));
  EXPECT_THAT(repo().Resolve("v1"), IsOkAndHolds(first_));
  EXPECT_THAT(repo().Resolve("refs/heads/dev"), IsOkAndHolds(side_));
  EXPECT_THAT(repo().Resolve("refs/tags/v1~1"), IsOkAndHolds(import_));
  EXPECT_THAT(repo().Resolve("refs/heads/v1"), StatusIs(StatusCode::kNotFound));
  EXPECT_THAT(repo().Resolve("refs/tags/main"), StatusIs(StatusCode::kNotFound));
}

TEST_F(RevisionTest, ARefWinsOverHex) {
  const std::string hex = first_.Hex().substr(0, 8);
  EXPECT_THAT(repo().Resolve(hex), IsOkAndHolds(first_));
  Tag(hex, second_);
  EXPECT_THAT(repo().Resolve(hex), IsOkAndHolds(second_));
  EXPECT_THAT(repo().Resolve("refs/tags/" + hex), IsOkAndHolds(second_));
  const std::string longer = first_.Hex().substr(0, 9);
  Branch(longer, import_);
  EXPECT_THAT(repo().Resolve(longer), IsOkAndHolds(import_));
}

TEST_F(RevisionTest, FourOrMoreHexDigitsNameACommit) {
  for (const std::size_t digits : {4, 5, 12, 63, 64})
    EXPECT_THAT(repo().Resolve(first_.Hex().substr(0, digits)), IsOkAndHolds(first_)) << digits;
  EXPECT_THAT(repo().Resolve(first_.Hex().substr(0, 3)), StatusIs(StatusCode::kNotFound));
  EXPECT_THAT(repo().Resolve(first_.Hex() + "0"), StatusIs(StatusCode::kNotFound));
}

TEST_F(RevisionTest, AnAmbiguousPrefixListsTheCandidates) {
  kv::WriteBatch batch;
  std::map<std::string, CommitId> by_prefix;
  objects::Commit commit = Must(repo().ReadCommit(first_));
  for (commit.seed = 1;; ++commit.seed) {
    const CommitId id = repo().objects().PutCommit(batch, commit);
    const auto [found, is_new] = by_prefix.emplace(id.Hex().substr(0, 4), id);
    if (is_new) continue;
    ASSERT_THAT(store_->Write(batch, kv::Durability::kUnsynced), IsOk());
    const auto resolved = repo().Resolve(found->first);
    EXPECT_THAT(resolved, StatusIs(StatusCode::kInvalidArgument, "ambiguous_revision"));
    EXPECT_THAT(resolved.status().message(), HasSubstr(id.Hex()));
    EXPECT_THAT(resolved.status().message(), HasSubstr(found->second.Hex()));
    return;
  }
}

TEST_F(RevisionTest, StepsGoToAncestorsAndParents) {
  EXPECT_THAT(repo().Resolve("main~"), IsOkAndHolds(second_));
  EXPECT_THAT(repo().Resolve("main~0"), IsOkAndHolds(merge_));
  EXPECT_THAT(repo().Resolve("main~2"), IsOkAndHolds(first_));
  EXPECT_THAT(repo().Resolve("main~~"), IsOkAndHolds(first_));
  EXPECT_THAT(repo().Resolve("main^"), IsOkAndHolds(second_));
  EXPECT_THAT(repo().Resolve("main^0"), IsOkAndHolds(merge_));
  EXPECT_THAT(repo().Resolve("main^2"), IsOkAndHolds(side_));
  EXPECT_THAT(repo().Resolve("main^2~1^1"), IsOkAndHolds(import_));
  EXPECT_THAT(repo().Resolve(merge_.Short() + "^2^"), IsOkAndHolds(first_));
}

TEST_F(RevisionTest, StepsBeyondHistoryAreNotFound) {
  EXPECT_THAT(repo().Resolve("main~4"), StatusIs(StatusCode::kNotFound));
  EXPECT_THAT(repo().Resolve("main~18446744073709551615"), StatusIs(StatusCode::kNotFound));
  EXPECT_THAT(repo().Resolve("main^3"), StatusIs(StatusCode::kNotFound));
  EXPECT_THAT(repo().Resolve("main~3^"), StatusIs(StatusCode::kNotFound));
}

TEST_F(RevisionTest, EarlierValuesOfABranchComeFromItsReflog) {
  EXPECT_THAT(repo().Resolve("main@{0}"), IsOkAndHolds(merge_));
  EXPECT_THAT(repo().Resolve("main@{1}"), IsOkAndHolds(second_));
  EXPECT_THAT(repo().Resolve("refs/heads/main@{2}"), IsOkAndHolds(first_));
  EXPECT_THAT(repo().Resolve("main@{2}~1"), IsOkAndHolds(import_));
  EXPECT_THAT(repo().Resolve("main@{3}"), IsOkAndHolds(import_));
  EXPECT_THAT(repo().Resolve("main@{4}"), StatusIs(StatusCode::kNotFound));
  EXPECT_THAT(Move(RefKind::kBranch, "main", import_, merge_), IsOk());
  EXPECT_THAT(repo().Resolve("main@{1}"), IsOkAndHolds(merge_));
}

TEST_F(RevisionTest, ADeletedBranchIsFoundThroughItsReflog) {
  EXPECT_THAT(Move(RefKind::kBranch, "dev", CommitId(), side_), IsOk());
  EXPECT_THAT(repo().Resolve("dev"), StatusIs(StatusCode::kNotFound));
  EXPECT_THAT(repo().Resolve("dev@{0}"), StatusIs(StatusCode::kNotFound));
  EXPECT_THAT(repo().Resolve("dev@{1}"), IsOkAndHolds(side_));
}

TEST_F(RevisionTest, WhatIsMalformedIsRefused) {
  for (const std::string text : {"", "~1", "^", "@{1}", "main@{", "main@{}", "main@{x}", "main@{1",
                                 "main@{1}x", "main~1x", "main~99999999999999999999"}) {
    EXPECT_THAT(repo().Resolve(text), StatusIs(StatusCode::kInvalidArgument)) << text;
  }
}

TEST_F(RevisionTest, WhatIsMissingIsNamed) {
  const auto resolved = repo().Resolve("nowhere~2");
  EXPECT_THAT(resolved, StatusIs(StatusCode::kNotFound));
  EXPECT_THAT(resolved.status().message(), HasSubstr("\"nowhere~2\" in repo atlas"));
  for (const std::string& text : std::vector<std::string>{"a b", "main..dev", "deadbeef",
                                                          "nope@{0}", std::string(300, 'x')}) {
    EXPECT_THAT(repo().Resolve(text), StatusIs(StatusCode::kNotFound)) << text;
  }
}

}  // namespace
}  // namespace emend::storage::history::revision_test
