// What the RocksDB store does when the disk fails, fills up, or forgets what was not synced.
#include <filesystem>
#include <fstream>
#include <map>
#include <random>

#include "storage/base/log.h"
#include "storage/kv/kv_store.h"
#include "storage/kv/rocks_session.h"
#include "tests/support/crash_file_system.h"
#include "tests/support/status_matchers.h"
#include "tests/support/temporary_folder.h"

namespace emend::storage::kv::rocks_faults_test {
namespace {

using ::emend::test::CrashFileSystem;
using ::emend::test::Fault;
using ::emend::test::IsOk;
using ::emend::test::IsOkAndHolds;
using ::emend::test::StatusIs;
using ::emend::test::TemporaryFolder;
using ::testing::Eq;
using ::testing::Optional;

class RocksFaultsTest : public ::testing::Test {
 protected:
  RocksFaultsTest() { SetLogLevel(LogLevel::kOff); }  // the failures are the point
  ~RocksFaultsTest() override { SetLogLevel(LogLevel::kInfo); }

  Status Open() {
    store_.reset();
    auto opened = OpenRocksKvOn({.path = path_}, disk_);
    if (!opened.ok()) return opened.status();
    store_ = std::move(opened).value();
    return OkStatus();
  }
  Status Put(const std::string& key, const std::string& value,
             Durability durability = Durability::kSynced) {
    WriteBatch batch;
    batch.Put(ColumnFamily::kMeta, key, value);
    batch.Put(ColumnFamily::kPayload, key, value + value);
    return store_->Write(batch, durability);
  }
  Result<std::optional<std::string>> Get(const std::string& key) {
    return store_->Get(ColumnFamily::kMeta, key);
  }

  TemporaryFolder folder_;
  const std::string path_ = folder_.path() + "/db";
  std::shared_ptr<CrashFileSystem> disk_ = std::make_shared<CrashFileSystem>();
  std::unique_ptr<KvStore> store_;
};

TEST_F(RocksFaultsTest, OnlyOneProcessHoldsAStore) {
  ASSERT_THAT(Open(), IsOk());
  EXPECT_THAT(OpenRocksKv({.path = path_}).status(),
              StatusIs(StatusCode::kUnavailable, "store_locked"));
}

TEST_F(RocksFaultsTest, AStoreThatLostItsCurrentFileIsRefusedInsteadOfStartedAnew) {
  ASSERT_THAT(Open(), IsOk());
  ASSERT_THAT(Put("key", "value"), IsOk());
  ASSERT_THAT(store_->VerifyChecksums(), IsOk());
  store_.reset();
  std::filesystem::remove(path_ + "/CURRENT");
  EXPECT_THAT(Open(), StatusIs(StatusCode::kDataLoss, "store_damaged"));
}

TEST_F(RocksFaultsTest, AMissingTableOrManifestIsDataLoss) {
  ASSERT_THAT(Open(), IsOk());
  ASSERT_THAT(Put("key", "value"), IsOk());
  ASSERT_THAT(store_->VerifyChecksums(), IsOk());
  store_.reset();
  for (const char* kind : {".sst", "MANIFEST-"}) {
    for (const auto& file : std::filesystem::directory_iterator(path_)) {
      if (file.path().filename().string().find(kind) == std::string::npos) continue;
      std::filesystem::rename(file.path(), folder_.path() + "/taken");
      EXPECT_THAT(Open(), StatusIs(StatusCode::kDataLoss, "store_damaged")) << file.path();
      std::filesystem::rename(folder_.path() + "/taken", file.path());
      break;
    }
  }
}

TEST_F(RocksFaultsTest, TheSpaceGuardRefusesWritesBeforeTheDiskIsFullAndReadsGoOn) {
  ASSERT_THAT(Open(), IsOk());
  ASSERT_THAT(Put("key", "value"), IsOk());
  store_.reset();
  auto opened = OpenRocksKv({.path = path_, .reserve_bytes = 1ULL << 60});
  ASSERT_THAT(opened, IsOk());
  store_ = std::move(opened).value();
  EXPECT_THAT(Put("key", "other"), StatusIs(StatusCode::kResourceExhausted, "disk_full"));
  EXPECT_THAT(Get("key"), IsOkAndHolds(Optional(std::string("value"))));
  ASSERT_THAT(Open(), IsOk());
  EXPECT_THAT(Put("key", "other"), IsOk());
}

TEST_F(RocksFaultsTest, AFullDiskFailsTheWriteReadsGoOnAndTheNextWriteWorksOnceThereIsSpace) {
  ASSERT_THAT(Open(), IsOk());
  ASSERT_THAT(Put("before", "value"), IsOk());
  disk_->FailAt(1, Fault::kNoSpace);
  EXPECT_THAT(Put("during", "value"), StatusIs(StatusCode::kResourceExhausted, "disk_full"));
  EXPECT_THAT(Get("before"), IsOkAndHolds(Optional(std::string("value"))));
  EXPECT_THAT(Get("during"), IsOkAndHolds(Eq(std::nullopt)));
  EXPECT_THAT(Put("after", "value"), IsOk());
  EXPECT_THAT(Get("before"), IsOkAndHolds(Optional(std::string("value"))));
  EXPECT_THAT(store_->VerifyChecksums(), IsOk());
}

TEST_F(RocksFaultsTest, AFailedSyncIsNotAcknowledgedAndTheStoreOpensItsFilesAnew) {
  ASSERT_THAT(Open(), IsOk());
  ASSERT_THAT(Put("before", "value"), IsOk());
  disk_->FailNextSync(Fault::kIoError);
  EXPECT_THAT(Put("during", "value"), StatusIs(StatusCode::kUnavailable));
  EXPECT_THAT(Get("during"), IsOkAndHolds(Eq(std::nullopt)));
  EXPECT_THAT(Put("after", "value"), IsOk());
  EXPECT_THAT(Get("before"), IsOkAndHolds(Optional(std::string("value"))));
  // The failed batch stands whole or not at all.
  ASSERT_OK_AND_ASSIGN(const auto meta, Get("during"));
  ASSERT_OK_AND_ASSIGN(const auto payload, store_->Get(ColumnFamily::kPayload, "during"));
  EXPECT_EQ(meta.has_value(), payload.has_value());
}

TEST_F(RocksFaultsTest, ADiskThatStaysBrokenRefusesWritesAndStillReads) {
  ASSERT_THAT(Open(), IsOk());
  ASSERT_THAT(Put("key", "value"), IsOk());
  disk_->FailAt(1, Fault::kPowerCut);
  for (int i = 0; i < 3; ++i) {
    EXPECT_THAT(Put("other", "value"), StatusIs(StatusCode::kUnavailable));
    EXPECT_THAT(Get("key"), IsOkAndHolds(Optional(std::string("value"))));
  }
}

TEST_F(RocksFaultsTest, AWriteFromInsideAScanThatNeedsReopeningIsRefusedInBoundedTime) {
  ASSERT_THAT(Open(), IsOk());
  ASSERT_THAT(Put("key", "value"), IsOk());
  disk_->FailNextSync(Fault::kIoError);
  ASSERT_THAT(Put("lost", "value"), StatusIs(StatusCode::kUnavailable));
  Status inside;
  ASSERT_THAT(store_->Scan(ColumnFamily::kMeta, "key", "",
                           [&](std::string_view, std::string_view) {
                             inside = Put("other", "value");
                             return true;
                           }),
              IsOk());
  EXPECT_THAT(inside, StatusIs(StatusCode::kUnavailable));
  EXPECT_THAT(Put("other", "value"), IsOk());
}

// Faults of every kind at every kind of change: whatever fails, what was acknowledged is there, and
// a batch is whole or absent.
TEST_F(RocksFaultsTest, NothingAcknowledgedIsLostWhateverCallFails) {
  const auto seed = std::random_device{}();
  SCOPED_TRACE("seed " + std::to_string(seed));
  std::mt19937 random(seed);
  ASSERT_THAT(Open(), IsOk());
  std::map<std::string, std::string> acknowledged;
  int failures = 0;
  for (int step = 0; step < 160; ++step) {
    if (step % 4 == 0)
      disk_->FailAt(1 + static_cast<int>(random() % 12),
                    random() % 2 == 0 ? Fault::kNoSpace : Fault::kIoError);
    const std::string key = std::to_string(step);
    const std::string value(random() % 6000, 'v');
    const Status written = Put(key, value);
    if (written.ok()) acknowledged[key] = value;
    if (!written.ok()) ++failures;
  }
  EXPECT_GT(failures, 10);
  disk_->FailAt(0, Fault::kNone);
  ASSERT_THAT(Open(), IsOk());
  for (const auto& [key, value] : acknowledged)
    ASSERT_THAT(Get(key), IsOkAndHolds(Optional(value))) << key;
  EXPECT_THAT(store_->VerifyChecksums(), IsOk());
}

}  // namespace
}  // namespace emend::storage::kv::rocks_faults_test
