// Tokens: the first one can be made again by whoever has the folder, others are of less scope.
#include "coordinator/store/tokens.h"

#include <gmock/gmock.h>

#include "storage/kv/kv_store.h"
#include "tests/support/memory_file_system.h"
#include "tests/support/memory_kv.h"
#include "tests/support/seeded_random.h"
#include "tests/support/status_matchers.h"

namespace emend::coordinator::store::tokens_test {
namespace {

using answers::Caller;
using storage::records::FindToken;
using storage::records::ListTokens;
using storage::records::TokenRecord;
using test::IsOk;
using test::StatusIs;
using ::testing::ElementsAre;
using ::testing::Field;

class TokensTest : public testing::Test {
 protected:
  TokensTest() {
    auto opened = storage::records::Journal::Open(*store_, files_, clock_, layout_.anchor());
    EXPECT_THAT(opened.status(), IsOk());
    journal_ = std::move(opened).value();
    EXPECT_THAT(EnsureAdminToken(*journal_, *store_, files_, random_, layout_), IsOk());
  }
  std::string FirstSecret() {
    std::string text = *files_.Read(layout_.admin_token_file());
    return text.substr(0, text.find('\n'));
  }
  bool IsKnown(const std::string& secret) { return FindToken(*store_, secret)->has_value(); }
  Caller CallerOf(const std::string& secret) {
    const TokenRecord token = **FindToken(*store_, secret);
    return {{token.principal, token.id}, token.scopes};
  }
  Result<NewToken> Create(const Caller& caller, const std::string& principal,
                          std::vector<std::string> scopes) {
    return CreateToken(*journal_, random_, caller, {principal, std::move(scopes)});
  }
  std::vector<std::string> Acts() {
    std::vector<std::string> acts;
    EXPECT_THAT(journal_->Read(1,
                               [&](const storage::records::AuditEntry& entry) {
                                 acts.push_back(entry.act.act);
                                 return true;
                               }),
                IsOk());
    return acts;
  }

  std::unique_ptr<storage::kv::KvStore> store_ = test::NewMemoryKv();
  test::MemoryFileSystem files_;
  SystemClock clock_;
  test::SeededRandom random_{7};
  const core::StoreLayout layout_{"/store", {}};
  std::unique_ptr<storage::records::Journal> journal_;
};

TEST_F(TokensTest, AStoreHasAFirstTokenOfAllScopesAndMakesItOnce) {
  const std::string secret = FirstSecret();
  EXPECT_EQ(CallerOf(secret).scopes.size(), 7U);
  EXPECT_THAT(EnsureAdminToken(*journal_, *store_, files_, random_, layout_), IsOk());
  EXPECT_EQ(FirstSecret(), secret);
  EXPECT_THAT(AdminTokenWorks(*store_, files_, layout_), test::IsOkAndHolds(true));
}

TEST_F(TokensTest, ALostOrChangedFirstTokenIsMadeAgainAndTheOldOneRevoked) {
  const std::string lost = FirstSecret();
  ASSERT_THAT(files_.WriteAtomically(layout_.admin_token_file(), lost + "x\n", 0600), IsOk());
  EXPECT_THAT(AdminTokenWorks(*store_, files_, layout_), test::IsOkAndHolds(false));
  ASSERT_THAT(files_.Remove(layout_.admin_token_file()), IsOk());
  EXPECT_THAT(AdminTokenWorks(*store_, files_, layout_), test::IsOkAndHolds(false));
  ASSERT_OK_AND_ASSIGN(const NewToken ci, Create(CallerOf(lost), "ci", {"read"}));
  ASSERT_OK_AND_ASSIGN(const TokenRecord made,
                       RenewAdminToken(*journal_, files_, random_, layout_));
  EXPECT_THAT(AdminTokenWorks(*store_, files_, layout_), test::IsOkAndHolds(true));
  EXPECT_EQ(CallerOf(FirstSecret()).principal.token_id, made.id);
  EXPECT_FALSE(IsKnown(lost));
  EXPECT_TRUE(IsKnown(ci.secret)) << "others' tokens stay";
  EXPECT_THAT(Acts(), ElementsAre("token.create", "token.create", "token.revoke", "token.create"));
}

TEST_F(TokensTest, ATokenOfLessScopeGivesNoMoreThanItHas) {
  const Caller admin = CallerOf(FirstSecret());
  ASSERT_OK_AND_ASSIGN(const NewToken made, Create(admin, "ops", {"read", "admin"}));
  EXPECT_THAT(CallerOf(made.secret).scopes, ElementsAre("read", "admin"));
  EXPECT_THAT(Create(CallerOf(made.secret), "ci", {"merge"}).status(),
              StatusIs(StatusCode::kPermissionDenied, "scope_exceeded"));
  for (const auto& scopes : std::vector<std::vector<std::string>>{{}, {"reed"}, {"read", "read"}})
    EXPECT_THAT(Create(admin, "ci", scopes).status(), StatusIs(StatusCode::kInvalidArgument));
  for (const std::string& principal : {std::string(), std::string("admin"), std::string("emendd"),
                                       std::string("A B"), std::string(65, 'a')})
    EXPECT_THAT(Create(admin, principal, {"read"}).status(),
                StatusIs(StatusCode::kInvalidArgument));
}

TEST_F(TokensTest, ARevokedTokenLetsNobodyInAndTheLastOfScopeAdminStays) {
  const Caller admin = CallerOf(FirstSecret());
  ASSERT_OK_AND_ASSIGN(const NewToken ci, Create(admin, "ci", {"read"}));
  EXPECT_THAT(RevokeToken(*journal_, admin, ci.record.id), IsOk());
  EXPECT_FALSE(IsKnown(ci.secret));
  EXPECT_THAT(RevokeToken(*journal_, admin, ci.record.id), StatusIs(StatusCode::kNotFound));
  EXPECT_THAT(RevokeToken(*journal_, admin, admin.principal.token_id),
              StatusIs(StatusCode::kFailedPrecondition, "last_admin_token"));
  ASSERT_OK_AND_ASSIGN(const NewToken ops, Create(admin, "ops", {"admin"}));
  EXPECT_THAT(RevokeToken(*journal_, admin, admin.principal.token_id), IsOk());
  EXPECT_THAT(*ListTokens(*store_), ElementsAre(Field(&TokenRecord::principal, "ops")));
}

TEST_F(TokensTest, OnlyWhoHasTheScopeAdminMakesAndRevokes) {
  const Caller admin = CallerOf(FirstSecret());
  ASSERT_OK_AND_ASSIGN(const NewToken ci, Create(admin, "ci", {"read", "merge"}));
  ASSERT_OK_AND_ASSIGN(const Caller caller, Authenticate(*store_, ci.secret));
  EXPECT_THAT(Create(caller, "other", {"read"}).status(), StatusIs(StatusCode::kPermissionDenied));
  EXPECT_THAT(RevokeToken(*journal_, caller, ci.record.id),
              StatusIs(StatusCode::kPermissionDenied));
  EXPECT_THAT(Authenticate(*store_, "emend_unknown").status(),
              StatusIs(StatusCode::kUnauthenticated));
}

}  // namespace
}  // namespace emend::coordinator::store::tokens_test
