// A power cut at a random call of the disk: what the store promises about synced and unsynced
// writes.
#include <random>

#include "storage/base/log.h"
#include "storage/kv/kv_store.h"
#include "storage/kv/rocks_session.h"
#include "tests/support/crash_file_system.h"
#include "tests/support/status_matchers.h"
#include "tests/support/temporary_folder.h"

namespace emend::storage::kv::power_cut_test {
namespace {

using ::emend::test::CrashFileSystem;
using ::emend::test::Fault;
using ::emend::test::IsOk;
using ::emend::test::IsOkAndHolds;
using ::emend::test::Tails;
using ::emend::test::TemporaryFolder;
using ::testing::Eq;

class PowerCutTest : public ::testing::TestWithParam<Tails> {
 protected:
  PowerCutTest() { SetLogLevel(LogLevel::kOff); }  // the failures are the point
  ~PowerCutTest() override { SetLogLevel(LogLevel::kInfo); }

  Status Open() {
    store_.reset();
    auto opened = OpenRocksKvOn({.path = folder_.path() + "/db"}, disk_);
    if (!opened.ok()) return opened.status();
    store_ = std::move(opened).value();
    return OkStatus();
  }
  Status Put(const std::string& key, const std::string& value, Durability durability) {
    WriteBatch batch;
    batch.Put(ColumnFamily::kMeta, key, value);
    batch.Put(ColumnFamily::kPayload, key, value + value);
    return store_->Write(batch, durability);
  }
  Result<std::optional<std::string>> Get(const std::string& key) {
    return store_->Get(ColumnFamily::kMeta, key);
  }

  TemporaryFolder folder_;
  std::shared_ptr<CrashFileSystem> disk_ = std::make_shared<CrashFileSystem>();
  std::unique_ptr<KvStore> store_;
};

// Writes until the power is cut at a random call, loses what was not synced, opens, and checks:
// synced batches are there, others are whole or absent, and no unsynced batch survives one before
// it that did not.
TEST_P(PowerCutTest, SyncedBatchesSurviveAndTheRestIsAPrefix) {
  const auto seed = std::random_device{}();
  SCOPED_TRACE("seed " + std::to_string(seed));
  std::mt19937 random(seed);
  ASSERT_THAT(Open(), IsOk());
  int written = 0;
  for (int cycle = 0; cycle < 40; ++cycle) {
    disk_->FailAt(1 + static_cast<int>(random() % 60), Fault::kPowerCut);
    int synced = written;
    int attempted = written;
    Status status;
    while (status.ok()) {
      const bool sync = random() % 3 == 0;
      const std::string value(random() % 20 == 0 ? 200'000 : random() % 6000,
                              static_cast<char>('a' + attempted % 26));
      // flushes: cuts fall into the making of tables, too
      status = random() % 15 == 0 ? store_->VerifyChecksums() : OkStatus();
      if (!status.ok()) break;
      status = Put(std::to_string(attempted++), value,
                   sync ? Durability::kSynced : Durability::kUnsynced);
      if (status.ok() && sync) synced = attempted;
    }
    store_.reset();
    disk_->LoseUnsynced(random, GetParam());
    ASSERT_THAT(Open(), IsOk()) << "cycle " << cycle;
    for (written = 0; written <= attempted; ++written) {
      ASSERT_OK_AND_ASSIGN(const auto meta, Get(std::to_string(written)));
      ASSERT_OK_AND_ASSIGN(const auto payload,
                           store_->Get(ColumnFamily::kPayload, std::to_string(written)));
      ASSERT_EQ(meta.has_value(), payload.has_value()) << "half a batch, cycle " << cycle;
      if (!meta) break;
      ASSERT_EQ(*payload, *meta + *meta);
    }
    ASSERT_GE(written, synced) << "cycle " << cycle;
    for (int later = written; later < attempted; ++later)
      ASSERT_THAT(Get(std::to_string(later)), IsOkAndHolds(Eq(std::nullopt))) << "cycle " << cycle;
  }
}

INSTANTIATE_TEST_SUITE_P(Tails, PowerCutTest, ::testing::Values(Tails::kDropped, Tails::kTorn),
                         [](const auto& tails) {
                           return tails.param == Tails::kDropped ? "Dropped" : "Torn";
                         });

}  // namespace
}  // namespace emend::storage::kv::power_cut_test
