#include "storage/history/protection.h"

#include "tests/storage/history/history_fixture.h"

namespace emend::storage::history::protection_test {
namespace {

using emend::test::IsOk;
using emend::test::StatusIs;
using ::testing::HasSubstr;

TEST(Fits, AStarStandsForAnyCharacters) {
  EXPECT_TRUE(Fits("main", "main"));
  EXPECT_FALSE(Fits("main", "main2"));
  EXPECT_FALSE(Fits("main", "mai"));
  EXPECT_TRUE(Fits("release/*", "release/1.0/hotfix"));
  EXPECT_TRUE(Fits("release/*", "release/"));
  EXPECT_FALSE(Fits("release/*", "releases/1"));
  EXPECT_TRUE(Fits("*-live", "eu-live"));
  EXPECT_FALSE(Fits("*-live", "eu-live-2"));
  EXPECT_TRUE(Fits("a*b*c", "axxbyyc"));
  EXPECT_TRUE(Fits("a*b*c", "abbbc"));
  EXPECT_FALSE(Fits("a*b*c", "axxcyyb"));
  EXPECT_TRUE(Fits("*", "anything"));
}

TEST(CheckPattern, WhatFitsNoNameIsRefused) {
  EXPECT_THAT(CheckPattern("release/*"), IsOk());
  EXPECT_THAT(CheckPattern("*"), IsOk());
  EXPECT_THAT(CheckPattern("two words"), StatusIs(StatusCode::kInvalidArgument));
  EXPECT_THAT(CheckPattern(""), StatusIs(StatusCode::kInvalidArgument));
  EXPECT_THAT(CheckPattern("a//b"), StatusIs(StatusCode::kInvalidArgument));
}

class ProtectionTest : public test::HistoryTest {
 protected:
  void Protect(const Protection& rule) {
    kv::WriteBatch batch;
    Protections(repo().record().id).Put(batch, rule.pattern, rule);
    Must(store_->Write(batch, kv::Durability::kSynced));
  }
  static constexpr const char* kSlug = "protected_branch";
};

TEST_F(ProtectionTest, AProtectedBranchMovesThroughReviewAlone) {
  const CommitId first = Commit("main", {StoreEdit(0)});
  Protect({.pattern = "main", .required = {}, .principal = "root"});
  const auto direct = TryCommit("main", Head(), {Head()}, {StoreEdit(1)}, {});
  EXPECT_THAT(direct, StatusIs(StatusCode::kPermissionDenied, kSlug));
  EXPECT_THAT(direct.status().message(), HasSubstr("emend propose atlas@NAME"));
  EXPECT_THAT(Move(RefKind::kBranch, "main", import_, first),
              StatusIs(StatusCode::kPermissionDenied, kSlug));
  EXPECT_EQ(Head(), first);

  const auto reviewed = journal_->Commit(principal_, [&](records::Transaction& transaction) {
    const objects::Commit commit = MakeCommit(transaction.batch(), {first}, {StoreEdit(1)}, {});
    return repo().Advance(transaction, "main", first, commit, Door::kReview).status();
  });
  EXPECT_THAT(reviewed, IsOk());
  EXPECT_NE(Head(), first);
}

TEST_F(ProtectionTest, ItIsNotDeletedNorMadeOfWhatNobodySaw) {
  const CommitId first = Commit("main", {StoreEdit(0)});
  Branch("release/1", first);
  Branch("side", first);
  const CommitId unseen = Commit("side", {StoreEdit(1)});
  Protect({.pattern = "release/*", .required = {}, .principal = "root"});
  EXPECT_THAT(Move(RefKind::kBranch, "release/1", CommitId(), first),
              StatusIs(StatusCode::kPermissionDenied, kSlug));
  EXPECT_THAT(Move(RefKind::kBranch, "release/2", unseen, CommitId()),
              StatusIs(StatusCode::kPermissionDenied, kSlug));
  EXPECT_THAT(Move(RefKind::kBranch, "release/2", first, CommitId()), IsOk())
      << "all that is there has been reviewed for release/1";
  EXPECT_THAT(Move(RefKind::kTag, "release/3", unseen, CommitId()),
              StatusIs(StatusCode::kPermissionDenied, kSlug))
      << "it would be asked by that name";
  EXPECT_THAT(Move(RefKind::kTag, "release/3", first, CommitId()), IsOk());
  EXPECT_THAT(Move(RefKind::kTag, "release/3", CommitId(), first), IsOk());
  EXPECT_THAT(Move(RefKind::kBranch, "side", first, unseen), IsOk());
}

TEST_F(ProtectionTest, AWeakRuleOpensNoBranchOfAStrongOne) {
  const CommitId first = Commit("main", {StoreEdit(0)});
  Branch("staging", first);
  Protect({.pattern = "staging", .approvals = 1, .required = {{"taken", 90}}, .principal = "root"});
  Protect({.pattern = "release/*", .approvals = 2, .required = {}, .principal = "root"});
  const auto make = [&] { return Move(RefKind::kBranch, "release/9", first, CommitId()); };
  EXPECT_THAT(make(), StatusIs(StatusCode::kPermissionDenied, kSlug));
  Protect({.pattern = "staging", .approvals = 3, .required = {{"taken", 90}}, .principal = "root"});
  EXPECT_THAT(make(), IsOk());
  Protect({.pattern = "live/*", .approvals = 1, .required = {{"taken", 95}}, .principal = "root"});
  EXPECT_THAT(Move(RefKind::kBranch, "live/1", first, CommitId()),
              StatusIs(StatusCode::kPermissionDenied, kSlug));
}

TEST_F(ProtectionTest, WhatSeveralRulesAskIsAllAsked) {
  Protect({.pattern = "main",
           .approvals = 1,
           .required = {{"taken", 90}, {"kept", 50}},
           .principal = "root"});
  Protect({.pattern = "*", .approvals = 2, .required = {{"kept", 70}}, .principal = "root"});
  Protect({.pattern = "release/*", .approvals = 5, .required = {}, .principal = "root"});
  const auto rule = Must(FindProtection(*store_, repo().record().id, "main"));
  ASSERT_TRUE(rule.has_value());
  EXPECT_EQ(rule->approvals, 2U);
  EXPECT_EQ(rule->required, (std::map<std::string, double>{{"kept", 70}, {"taken", 90}}));
  CreateRepo("other", 'o');
  const Repository other = Must(Repository::Open(*store_, RepoName("other")));
  EXPECT_FALSE(Must(FindProtection(*store_, other.record().id, "main")).has_value());
}

}  // namespace
}  // namespace emend::storage::history::protection_test
