#include "storage/records/repair.h"

#include <filesystem>
#include <fstream>

#include "storage/base/log.h"
#include "storage/kv/kv_store.h"
#include "storage/kv/repair.h"
#include "storage/records/anchor.h"
#include "storage/records/audit_chain.h"
#include "storage/records/journal.h"
#include "tests/support/status_matchers.h"
#include "tests/support/temporary_folder.h"

namespace emend::storage::records::repair_test {
namespace {

namespace fs = std::filesystem;
using ::emend::test::IsOk;
using ::emend::test::IsOkAndHolds;
using ::emend::test::StatusIs;
using ::testing::Eq;
using ::testing::HasSubstr;
using ::testing::Optional;

class RepairTest : public ::testing::Test {
 protected:
  RepairTest() { SetLogLevel(LogLevel::kOff); }  // damage is the point
  ~RepairTest() override { SetLogLevel(LogLevel::kInfo); }

  // Commits "0", "1", ... and closes the store; with kFlushed everything but the last two lies in
  // tables.
  enum class Layout { kInLog, kFlushed };
  void MakeStore(int count, Layout layout) {
    ASSERT_OK_AND_ASSIGN(const auto store, kv::OpenRocksKv({.path = db_}));
    ASSERT_OK_AND_ASSIGN(const auto journal, Journal::Open(*store, files_, clock_, anchor_));
    for (int number = 0; number < count; ++number) {
      if (layout == Layout::kFlushed && number == count - 2) {
        ASSERT_THAT(store->VerifyChecksums(), IsOk());
      }
      ASSERT_THAT(journal->Commit({"ada", "t1"},
                                  [&](Transaction& transaction) {
                                    transaction.batch().Put(kv::ColumnFamily::kMeta,
                                                            std::to_string(number),
                                                            std::string(500, 'v'));
                                    transaction.Audit({"test.put", {}});
                                    return OkStatus();
                                  }),
                  IsOk());
    }
  }
  fs::path FileOfKind(const std::string& kind) {
    for (const auto& file : fs::directory_iterator(db_)) {
      if (file.path().extension() == kind && file.file_size() > 0) return file.path();
    }
    ADD_FAILURE() << "no file of kind " << kind;
    return {};
  }
  static void FlipByte(const fs::path& path, double where) {
    std::fstream file(path, std::ios::binary | std::ios::in | std::ios::out);
    const auto offset =
        static_cast<std::streamoff>(where * static_cast<double>(fs::file_size(path)));
    file.seekg(offset);
    const char byte = static_cast<char>(file.get() ^ 0x10);
    file.seekp(offset);
    file.put(byte);
  }
  Result<RepairReport> Run(const RepairOptions& options = {}) {
    return Repair(db_, anchor_, files_, clock_, options);
  }
  // The store opens, its chain verifies, it has exactly the first `count` values, and its last
  // audit entry is the repair.
  void ExpectRepaired(int count) {
    ASSERT_OK_AND_ASSIGN(const auto store, kv::OpenRocksKv({.path = db_}));
    ASSERT_OK_AND_ASSIGN(const auto journal, Journal::Open(*store, files_, clock_, anchor_));
    EXPECT_THAT(journal->Verify(), IsOk());
    EXPECT_EQ(journal->head(), static_cast<std::uint64_t>(count) + 1);
    std::string act;
    EXPECT_THAT(journal->Read(journal->head(),
                              [&](const AuditEntry& entry) {
                                act = entry.act.act;
                                return true;
                              }),
                IsOk());
    EXPECT_EQ(act, "store.repair");
    for (int number = 0; number < count; ++number) {
      EXPECT_THAT(store->Get(kv::ColumnFamily::kMeta, std::to_string(number)),
                  IsOkAndHolds(Optional(std::string(500, 'v'))))
          << number;
    }
    EXPECT_THAT(store->Get(kv::ColumnFamily::kMeta, std::to_string(count)),
                IsOkAndHolds(Eq(std::nullopt)));
  }

  emend::test::TemporaryFolder folder_;
  const std::string db_ = folder_.path() + "/db";
  const std::string anchor_ = folder_.path() + "/anchor";
  PosixFileSystem files_;
  SystemClock clock_;
};

TEST_F(RepairTest, AHealthyStoreIsLeftAlone) {
  MakeStore(3, Layout::kInLog);
  ASSERT_OK_AND_ASSIGN(const RepairReport report, Run());
  EXPECT_EQ(report.outcome, RepairReport::Outcome::kNothingToDo);
  EXPECT_EQ(report.head, 3U);
  EXPECT_EQ(report.lost_first, 0U);
}

TEST_F(RepairTest, AFolderThatIsNotThereIsNotFound) {
  EXPECT_THAT(Run(), StatusIs(StatusCode::kNotFound));
}

TEST_F(RepairTest, AStoreInUseIsRefused) {
  MakeStore(1, Layout::kInLog);
  ASSERT_OK_AND_ASSIGN(const auto store, kv::OpenRocksKv({.path = db_}));
  EXPECT_THAT(Run(), StatusIs(StatusCode::kUnavailable, "store_locked"));
  EXPECT_THAT(kv::SalvageCopy(db_, db_ + ".copy"),
              StatusIs(StatusCode::kUnavailable, "store_locked"));
}

TEST_F(RepairTest, ADamagedLogIsNotReplayedBehindTheAnchorUnlessTheLossIsAccepted) {
  MakeStore(20, Layout::kInLog);
  const fs::path log = FileOfKind(".log");
  FlipByte(log, 0.5);
  EXPECT_THAT(kv::OpenRocksKv({.path = db_}).status(),
              StatusIs(StatusCode::kDataLoss, "store_damaged"));
  const auto refused = Run();
  ASSERT_THAT(refused, StatusIs(StatusCode::kFailedPrecondition, "would_lose"));
  EXPECT_THAT(refused.status().message(), HasSubstr(" to 20 would be lost"));
  EXPECT_TRUE(fs::exists(log)) << "a refused repair changes nothing";
  EXPECT_EQ(std::distance(fs::directory_iterator(folder_.path()), fs::directory_iterator()), 2);

  ASSERT_OK_AND_ASSIGN(const RepairReport report, Run({.accept_loss = true}));
  EXPECT_EQ(report.outcome, RepairReport::Outcome::kRepaired);
  EXPECT_EQ(report.lost_first, report.head + 1);
  EXPECT_EQ(report.lost_last, 20U);
  EXPECT_GT(report.head, 5U);
  EXPECT_LT(report.head, 15U);
  EXPECT_TRUE(fs::exists(report.kept_store + "/" + log.filename().string()));
  EXPECT_TRUE(fs::exists(report.kept_anchor));
  ExpectRepaired(static_cast<int>(report.head));
}

TEST_F(RepairTest, GarbageBehindTheLastCommitIsCutOffWithoutLoss) {
  MakeStore(5, Layout::kInLog);
  std::ofstream(FileOfKind(".log"), std::ios::binary | std::ios::app)
      << std::string(300, '\x5a') << std::string(40000, '\xa5');
  ASSERT_THAT(kv::OpenRocksKv({.path = db_}).status(),
              StatusIs(StatusCode::kDataLoss, "store_damaged"));
  ASSERT_OK_AND_ASSIGN(const RepairReport report, Run());
  EXPECT_EQ(report.outcome, RepairReport::Outcome::kRepaired);
  EXPECT_EQ(report.lost_first, 0U);
  EXPECT_EQ(report.kept_anchor, "");
  ExpectRepaired(5);
}

TEST_F(RepairTest, AStoreThatLostItsLogIsBehindItsAnchor) {
  MakeStore(6, Layout::kFlushed);
  fs::remove(FileOfKind(".log"));
  const auto refused = Run();
  ASSERT_THAT(refused, StatusIs(StatusCode::kFailedPrecondition, "would_lose"));
  EXPECT_THAT(refused.status().message(), HasSubstr("5 to 6 would be lost"));
  ASSERT_OK_AND_ASSIGN(const RepairReport report, Run({.accept_loss = true}));
  EXPECT_EQ(report.kept_store, "");
  ExpectRepaired(4);
}

TEST_F(RepairTest, ADamagedTableNeedsABackup) {
  MakeStore(6, Layout::kFlushed);
  FlipByte(FileOfKind(".sst"), 0.05);
  for (const bool accept_loss : {false, true}) {
    const auto refused = Run({.accept_loss = accept_loss});
    ASSERT_THAT(refused, StatusIs(StatusCode::kDataLoss));
    EXPECT_THAT(refused.status().message(), HasSubstr("backup"));
  }
  EXPECT_FALSE(fs::exists(db_ + ".damaged-1"));
}

TEST_F(RepairTest, AnAnchorDamagedInTheMiddleIsRebuiltFromTheChain) {
  MakeStore(6, Layout::kInLog);
  FlipByte(anchor_, 0.3);
  ASSERT_OK_AND_ASSIGN(const RepairReport report, Run());
  EXPECT_EQ(report.lost_first, 0U);
  EXPECT_TRUE(fs::exists(report.kept_anchor));
  ExpectRepaired(6);
}

TEST_F(RepairTest, AMissingAnchorIsMadeAnewOnlyIfTheUnprovableIsAccepted) {
  MakeStore(6, Layout::kInLog);
  fs::remove(anchor_);
  const auto refused = Run();
  ASSERT_THAT(refused, StatusIs(StatusCode::kFailedPrecondition, "would_lose"));
  EXPECT_THAT(refused.status().message(), HasSubstr("nothing after audit entry 6 is lost"));
  ASSERT_OK_AND_ASSIGN(const RepairReport report, Run({.accept_loss = true}));
  EXPECT_EQ(report.lost_first, 7U);
  EXPECT_EQ(report.lost_last, 0U);
  ExpectRepaired(6);
}

TEST_F(RepairTest, AnotherStoresAnchorIsNeverAccepted) {
  MakeStore(3, Layout::kInLog);
  ASSERT_THAT(WriteAnchor(files_, anchor_, {{2, Sha256("another store")}}), IsOk());
  EXPECT_THAT(Run({.accept_loss = true}), StatusIs(StatusCode::kDataLoss, "anchor_mismatch"));
}

TEST_F(RepairTest, ABrokenChainIsNeverAccepted) {
  MakeStore(3, Layout::kInLog);
  {
    ASSERT_OK_AND_ASSIGN(const auto store, kv::OpenRocksKv({.path = db_}));
    kv::WriteBatch batch;
    batch.Delete(kv::ColumnFamily::kAudit, AuditKey(2));
    ASSERT_THAT(store->Write(batch, kv::Durability::kSynced), IsOk());
  }
  EXPECT_THAT(Run({.accept_loss = true}), StatusIs(StatusCode::kDataLoss, "audit_broken"));
}

TEST_F(RepairTest, SalvageNeverOverwrites) {
  MakeStore(1, Layout::kInLog);
  fs::create_directory(db_ + ".copy");
  EXPECT_THAT(kv::SalvageCopy(db_, db_ + ".copy"), StatusIs(StatusCode::kAlreadyExists));
  EXPECT_THAT(kv::SalvageCopy(db_ + ".nothing", db_ + ".copy"), StatusIs(StatusCode::kNotFound));
}

}  // namespace
}  // namespace emend::storage::records::repair_test
