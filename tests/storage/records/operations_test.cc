#include "storage/records/operations.h"

#include "tests/support/memory_file_system.h"
#include "tests/support/memory_kv.h"
#include "tests/support/status_matchers.h"

namespace emend::storage::records::operations_test {
namespace {

using ::emend::test::IsOk;
using ::emend::test::StatusIs;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

class OperationsTest : public ::testing::Test {
 protected:
  OperationsTest() {
    auto opened = Journal::Open(*store_, files_, clock_, "anchor");
    EMEND_CHECK(opened.ok(), opened.status().ToString());
    journal_ = std::move(opened).value();
  }
  template <typename Build>
  Status Commit(const std::string& principal, Build build) {
    return journal_
        ->Commit({principal, "t1"},
                 [&](Transaction& transaction) -> Status {
                   EMEND_RETURN_IF_ERROR(build(transaction));
                   transaction.Audit({"test", {}});
                   return OkStatus();
                 })
        .status();
  }
  Operation Accept(const std::string& kind) {
    Operation operation;
    operation.kind = kind;
    operation.repo = "atlas";
    operation.principal = {"ada", "t1"};
    operation.accepted_ms = 1'700'000'000'000;
    operation.request = "{\"facts\":[]}";
    EXPECT_THAT(Commit("ada",
                       [&](Transaction& transaction) -> Status {
                         EMEND_ASSIGN_OR_RETURN(operation.id, NextOperationId(transaction));
                         PutOperation(transaction, operation, "operation.accept");
                         return OkStatus();
                       }),
                IsOk());
    return operation;
  }
  void Put(const Operation& operation, const char* act) {
    EXPECT_THAT(Commit("ada",
                       [&](Transaction& transaction) {
                         PutOperation(transaction, operation, act);
                         return OkStatus();
                       }),
                IsOk());
  }
  static std::vector<std::string> Ids(const Result<std::vector<Operation>>& operations) {
    std::vector<std::string> ids;
    EXPECT_THAT(operations, IsOk());
    for (const Operation& operation : *operations) ids.push_back(operation.id.value());
    return ids;
  }

  SystemClock clock_;
  test::MemoryFileSystem files_;
  std::unique_ptr<test::MemoryKv> store_ = test::NewMemoryKv();
  std::unique_ptr<Journal> journal_;
};

TEST_F(OperationsTest, AnOperationComesBackAsItWasPut) {
  Operation operation = Accept("commit");
  operation.state = OperationState::kFailed;
  operation.finished_ms = 1'700'000'001'000;
  operation.error_slug = "stale_head";
  operation.error_message = "the head moved";
  operation.error_code = 4;
  operation.priority = Priority::kInteractive;
  operation.deadline_ms = 1'700'000'600'000;
  Put(operation, "operation.fail");
  ASSERT_OK_AND_ASSIGN(const Operation read, ReadOperation(*store_, operation.id));
  EXPECT_EQ(read.kind, "commit");
  EXPECT_EQ(read.repo, "atlas");
  EXPECT_EQ(read.state, OperationState::kFailed);
  EXPECT_EQ(read.principal, operation.principal);
  EXPECT_EQ(read.accepted_ms, operation.accepted_ms);
  EXPECT_EQ(read.finished_ms, operation.finished_ms);
  EXPECT_EQ(read.request, operation.request);
  EXPECT_EQ(read.result, "");
  EXPECT_EQ(read.error_slug, "stale_head");
  EXPECT_EQ(read.error_message, "the head moved");
  EXPECT_EQ(read.error_code, 4);
  EXPECT_EQ(read.priority, Priority::kInteractive);
  EXPECT_EQ(read.deadline_ms, 1'700'000'600'000);
}

TEST_F(OperationsTest, PrioritiesHaveNames) {
  for (const Priority priority : {Priority::kInteractive, Priority::kNormal, Priority::kBatch})
    EXPECT_EQ(ParsePriority(PriorityName(priority)), priority);
  EXPECT_EQ(PriorityName(Priority::kInteractive), "interactive");
  EXPECT_EQ(ParsePriority("urgent"), std::nullopt);
}

TEST_F(OperationsTest, AnUnknownOperationIsNotFound) {
  EXPECT_THAT(ReadOperation(*store_, OperationId("op-1")), StatusIs(StatusCode::kNotFound));
}

TEST_F(OperationsTest, IdsFollowTheOrderOfAcceptance) {
  for (int i = 0; i < 17; ++i) Accept("commit");
  const auto ids = Ids(ListOperations(*store_, {}, 100));
  ASSERT_EQ(ids.size(), 17U);
  EXPECT_EQ(ids.front(), "op-0000000000000011");
  EXPECT_EQ(ids.back(), "op-0000000000000001");
}

TEST_F(OperationsTest, AListIsReadPageByPageFromTheNewest) {
  for (int i = 0; i < 5; ++i) Accept("commit");
  EXPECT_THAT(Ids(ListOperations(*store_, {}, 2)),
              ElementsAre("op-0000000000000005", "op-0000000000000004"));
  EXPECT_THAT(Ids(ListOperations(*store_, OperationId("op-0000000000000004"), 2)),
              ElementsAre("op-0000000000000003", "op-0000000000000002"));
  EXPECT_THAT(Ids(ListOperations(*store_, OperationId("op-0000000000000001"), 2)), IsEmpty());
  EXPECT_THAT(Ids(ListOperations(*store_, OperationId("op-0000000000000000"), 2)), IsEmpty());
  EXPECT_THAT(Ids(ListOperations(*store_, OperationId("op-ffffffffffffffff"), 1)),
              ElementsAre("op-0000000000000005"))
      << "beyond the last is at the last";
}

TEST_F(OperationsTest, APageBeginsAtAnIdOnly) {
  for (const char* bad :
       {"5", "op-5", "op-000000000000000G", "op-00000000000000051", "op--000000000000005"}) {
    EXPECT_THAT(ListOperations(*store_, OperationId(bad), 2),
                StatusIs(StatusCode::kInvalidArgument))
        << bad;
  }
}

TEST_F(OperationsTest, TwoIdsOfOneTransactionDiffer) {
  ASSERT_THAT(
      Commit("ada",
             [&](Transaction& transaction) -> Status {
               EMEND_ASSIGN_OR_RETURN(const OperationId first, NextOperationId(transaction));
               EMEND_ASSIGN_OR_RETURN(const OperationId second, NextOperationId(transaction));
               EXPECT_LT(first, second);
               return OkStatus();
             }),
      IsOk());
}

TEST_F(OperationsTest, OnlyOperationsThatHaveNotEndedAreUnfinished) {
  Operation first = Accept("commit");
  Operation second = Accept("stats");
  Accept("commit");
  first.state = OperationState::kRunning;
  Put(first, "operation.start");
  second.state = OperationState::kSucceeded;
  second.result = "{}";
  Put(second, "operation.succeed");
  EXPECT_THAT(Ids(ListUnfinished(*store_)),
              ElementsAre("op-0000000000000001", "op-0000000000000003"));
  EXPECT_EQ(Ids(ListOperations(*store_, {}, 100)).size(), 3U);
}

TEST_F(OperationsTest, AStoredOperationThatIsDamagedIsDataLoss) {
  const Operation operation = Accept("commit");
  kv::WriteBatch batch;
  batch.Put(kv::ColumnFamily::kOperations, "o/" + operation.id.value(), "damaged");
  ASSERT_THAT(store_->Write(batch, kv::Durability::kSynced), IsOk());
  EXPECT_THAT(ReadOperation(*store_, operation.id), StatusIs(StatusCode::kDataLoss));
}

TEST_F(OperationsTest, IdempotencyKeysBelongToAPrincipal) {
  ASSERT_THAT(Commit("ada",
                     [](Transaction& transaction) {
                       PutIdempotency(transaction,
                                      {"key", Sha256("request"), OperationId("op-1"), 5});
                       return OkStatus();
                     }),
              IsOk());
  ASSERT_OK_AND_ASSIGN(const auto found, ReadIdempotency(*store_, {"ada", "another token"}, "key"));
  ASSERT_TRUE(found.has_value());
  EXPECT_EQ(found->key, "key");
  EXPECT_EQ(found->fingerprint, Sha256("request"));
  EXPECT_EQ(found->operation, OperationId("op-1"));
  EXPECT_EQ(found->created_ms, 5);
  ASSERT_OK_AND_ASSIGN(const auto other, ReadIdempotency(*store_, {"bob", "t1"}, "key"));
  EXPECT_FALSE(other.has_value());
  ASSERT_OK_AND_ASSIGN(const auto shifted, ReadIdempotency(*store_, {"adak", "t1"}, "ey"));
  EXPECT_FALSE(shifted.has_value());
}

TEST_F(OperationsTest, TokensAreFoundByTheirSecretAlone) {
  const TokenRecord token{"ci", Sha256("secret"), "robot", {"ask", "merge"}, 7};
  ASSERT_THAT(Commit("ada",
                     [&](Transaction& transaction) {
                       PutToken(transaction, token);
                       return OkStatus();
                     }),
              IsOk());
  ASSERT_OK_AND_ASSIGN(const auto found, FindToken(*store_, "secret"));
  ASSERT_TRUE(found.has_value());
  EXPECT_EQ(found->id, "ci");
  EXPECT_EQ(found->principal, "robot");
  EXPECT_THAT(found->scopes, ElementsAre("ask", "merge"));
  EXPECT_EQ(found->created_ms, 7);
  ASSERT_OK_AND_ASSIGN(const auto wrong, FindToken(*store_, "Secret"));
  EXPECT_FALSE(wrong.has_value());
  ASSERT_OK_AND_ASSIGN(const auto tokens, ListTokens(*store_));
  EXPECT_EQ(tokens.size(), 1U);
}

TEST_F(OperationsTest, ATokenThatGotANewSecretNoLongerAnswersToTheOldOne) {
  for (const char* secret : {"old", "new"}) {
    ASSERT_THAT(Commit("ada",
                       [&](Transaction& transaction) {
                         PutToken(transaction, {"ci", Sha256(secret), "robot", {"ask"}, 7});
                         return OkStatus();
                       }),
                IsOk());
  }
  ASSERT_OK_AND_ASSIGN(const auto old_one, FindToken(*store_, "old"));
  EXPECT_FALSE(old_one.has_value());
  ASSERT_OK_AND_ASSIGN(const auto new_one, FindToken(*store_, "new"));
  EXPECT_TRUE(new_one.has_value());
}

TEST_F(OperationsTest, AnEmptyStoreHasNoOperationsAndNoTokens) {
  EXPECT_THAT(Ids(ListOperations(*store_, {}, 10)), IsEmpty());
  ASSERT_OK_AND_ASSIGN(const auto tokens, ListTokens(*store_));
  EXPECT_THAT(tokens, IsEmpty());
}

}  // namespace
}  // namespace emend::storage::records::operations_test
