// What any version wrote must be read for ever; what is written now must stay as it is.
#include <filesystem>
#include <fstream>

#include "storage/base/file_system.h"
#include "storage/records/anchor.h"
#include "storage/records/audit_chain.h"
#include "storage/records/journal.h"
#include "storage/records/operations.h"
#include "tests/support/memory_file_system.h"
#include "tests/support/memory_kv.h"
#include "tests/support/status_matchers.h"
#include "tests/support/temporary_folder.h"

namespace emend::storage::records::golden_test {
namespace {

using ::emend::test::IsOk;
using ::emend::test::IsOkAndHolds;
using ::emend::test::StatusIs;
using kv::ColumnFamily;
using ::testing::ElementsAre;
using ::testing::Optional;

constexpr std::int64_t kTimeMs = 1'700'000'000'000;

std::string Golden(const std::string& name) {
  std::ifstream file("tests/golden/store/" + name + ".bin", std::ios::binary);
  EXPECT_TRUE(file) << name;
  return {std::istreambuf_iterator<char>(file), {}};
}

TEST(GoldenStoreTest, AuditEntryKeepsItsBytes) {
  const AuditEntry entry{7,
                         Sha256("before"),
                         kTimeMs,
                         {"ada", "token-1"},
                         {"ref.move", {{"repo", "atlas"}, {"ref", "main"}}}};
  EXPECT_EQ(EncodeAuditEntry(entry), Golden("audit_entry"));
  ASSERT_OK_AND_ASSIGN(const AuditEntry read, DecodeAuditEntry(Golden("audit_entry")));
  EXPECT_EQ(read.sequence, 7U);
  EXPECT_EQ(read.previous, Sha256("before"));
  EXPECT_EQ(read.act.act, "ref.move");
}

TEST(GoldenStoreTest, AnchorKeepsItsBytes) {
  const AnchorLine genesis{0, Digest()};
  const AnchorLine later{7, Sha256(Golden("audit_entry"))};
  test::MemoryFileSystem files;
  ASSERT_THAT(WriteAnchor(files, "written", {genesis}), IsOk());
  ASSERT_THAT(AppendToAnchor(files, "written", later), IsOk());
  EXPECT_THAT(files.Read("written"), IsOkAndHolds(Golden("anchor")));
  ASSERT_OK_AND_ASSIGN(const Anchor anchor, ReadAnchor(files, "written"));
  EXPECT_EQ(anchor.tail, Anchor::Tail::kWhole);
  EXPECT_THAT(anchor.lines, ElementsAre(genesis, later));
}

TEST(GoldenStoreTest, TheTypedTablesKeepTheirKeysAndBytes) {
  test::MemoryFileSystem files;
  SystemClock clock;
  const auto store = test::NewMemoryKv();
  ASSERT_OK_AND_ASSIGN(const auto journal, Journal::Open(*store, files, clock, "anchor"));
  const OperationId id("op-0000000000000001");
  ASSERT_THAT(
      journal->Commit({"ada", "token-1"},
                      [&](Transaction& transaction) {
                        PutOperation(transaction,
                                     {id,
                                      "commit",
                                      "atlas",
                                      OperationState::kFailed,
                                      {"ada", "token-1"},
                                      kTimeMs,
                                      kTimeMs + 1000,
                                      "{\"facts\":[]}",
                                      "",
                                      "stale_head",
                                      "the head moved",
                                      static_cast<std::uint8_t>(StatusCode::kConflict),
                                      Priority::kBatch,
                                      kTimeMs + 600'000},
                                     "operation.fail");
                        PutIdempotency(transaction, {"key-1", Sha256("request"), id, kTimeMs});
                        PutToken(transaction,
                                 {"ci", Sha256("secret"), "robot", {"ask", "merge"}, kTimeMs});
                        return OkStatus();
                      }),
      IsOk());
  EXPECT_THAT(store->Get(ColumnFamily::kOperations, "o/op-0000000000000001"),
              IsOkAndHolds(Optional(Golden("operation"))));
  EXPECT_THAT(
      store->Get(ColumnFamily::kIdempotency, std::string("\x03\0\0\0ada\x05\0\0\0key-1", 16)),
      IsOkAndHolds(Optional(Golden("idempotency"))));
  EXPECT_THAT(store->Get(ColumnFamily::kMeta, "token/ci"), IsOkAndHolds(Optional(Golden("token"))));
  EXPECT_THAT(
      store->Get(ColumnFamily::kMeta, std::string("token-secret/").append(Sha256("secret").Raw())),
      IsOkAndHolds(Optional(std::string("ci"))));
}

TEST(GoldenStoreTest, AnOperationOfAnotherVersionIsRefused) {
  const auto store = test::NewMemoryKv();
  std::string other = Golden("operation");
  other[2] = 1;
  kv::WriteBatch batch;
  batch.Put(ColumnFamily::kOperations, "o/op-0000000000000001", other);
  ASSERT_THAT(store->Write(batch, kv::Durability::kSynced), IsOk());
  const Result<Operation> read = ReadOperation(*store, OperationId("op-0000000000000001"));
  EXPECT_THAT(read, StatusIs(StatusCode::kDataLoss));
  EXPECT_NE(read.status().message().find("found version 1, expected 2"), std::string::npos)
      << read.status().message();
}

// A folder that the first version left behind: tables and blobs, a log that was not closed, and the
// anchor.
TEST(GoldenStoreTest, AStoreOfVersionOneOpensVerifiesAndGoesOn) {
  const test::TemporaryFolder folder;
  std::filesystem::copy("tests/golden/store/store-v1", folder.path(),
                        std::filesystem::copy_options::recursive);
  PosixFileSystem files;
  SystemClock clock;
  ASSERT_OK_AND_ASSIGN(const auto store, kv::OpenRocksKv({.path = folder.path() + "/db"}));
  ASSERT_OK_AND_ASSIGN(const auto journal,
                       Journal::Open(*store, files, clock, folder.path() + "/anchor"));
  EXPECT_EQ(journal->head(), 12U);
  EXPECT_THAT(journal->Verify(), IsOk());
  EXPECT_THAT(store->VerifyChecksums(), IsOk());
  for (std::uint64_t number = 1; number <= 12; ++number) {
    const std::string payload(number * 7919 % 9000, static_cast<char>('a' + number % 26));
    EXPECT_THAT(store->Get(ColumnFamily::kMeta, std::to_string(number)),
                IsOkAndHolds(Optional(std::to_string(number))));
    EXPECT_THAT(store->Get(ColumnFamily::kPayload, std::to_string(number)),
                IsOkAndHolds(Optional(payload)));
  }
  EXPECT_THAT(journal->Commit({"ada", ""},
                              [](Transaction& transaction) {
                                transaction.Audit({"test", {}});
                                return OkStatus();
                              }),
              IsOkAndHolds(13U));
}

}  // namespace
}  // namespace emend::storage::records::golden_test
