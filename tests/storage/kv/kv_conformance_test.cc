// What every KvStore promises, held to by both back ends.
#include <filesystem>
#include <map>
#include <random>

#include "storage/kv/kv_store.h"
#include "tests/support/memory_kv.h"
#include "tests/support/status_matchers.h"
#include "tests/support/temporary_folder.h"

namespace emend::storage::kv::kv_conformance_test {
namespace {

using ::emend::test::IsOk;
using ::emend::test::IsOkAndHolds;
using ::emend::test::TemporaryFolder;
using ::testing::ElementsAre;
using ::testing::Eq;
using ::testing::IsEmpty;
using ::testing::Optional;
using ::testing::Pair;

using Entries = std::vector<std::pair<std::string, std::string>>;

class KvConformanceTest : public ::testing::TestWithParam<std::string> {
 protected:
  KvConformanceTest() { Open(); }

  void Open() {
    store_.reset();
    if (GetParam() == "memory") {
      store_ = test::NewMemoryKv();
      return;
    }
    auto opened = OpenRocksKv({.path = folder_.path() + "/db"});
    EMEND_CHECK(opened.ok(), opened.status().ToString());
    store_ = std::move(opened).value();
  }
  Status Put(ColumnFamily family, std::string_view key, std::string_view value) {
    WriteBatch batch;
    batch.Put(family, key, value);
    return store_->Write(batch, Durability::kUnsynced);
  }
  Entries Scan(ColumnFamily family, std::string_view prefix, std::string_view start) {
    Entries entries;
    const Status status =
        store_->Scan(family, prefix, start, [&](std::string_view key, std::string_view value) {
          entries.emplace_back(key, value);
          return true;
        });
    EXPECT_THAT(status, IsOk());
    return entries;
  }

  TemporaryFolder folder_;
  std::unique_ptr<KvStore> store_;
};

TEST_P(KvConformanceTest, GetOfAKeyThatIsNotThereIsEmpty) {
  EXPECT_THAT(store_->Get(ColumnFamily::kRefs, "nothing"), IsOkAndHolds(Eq(std::nullopt)));
}

TEST_P(KvConformanceTest, GetReturnsTheLastValueThatWasPut) {
  ASSERT_THAT(Put(ColumnFamily::kRefs, "main", "one"), IsOk());
  ASSERT_THAT(Put(ColumnFamily::kRefs, "main", "two"), IsOk());
  EXPECT_THAT(store_->Get(ColumnFamily::kRefs, "main"), IsOkAndHolds(Optional(std::string("two"))));
}

TEST_P(KvConformanceTest, ClearDeletesWhatWasThereUnderThePrefixAndNothingElse) {
  const std::string prefix("a\xff", 2);
  for (const std::string& key : {std::string("a"), prefix, prefix + "1", std::string("b")}) {
    ASSERT_THAT(Put(ColumnFamily::kRefs, key, "before"), IsOk());
    ASSERT_THAT(Put(ColumnFamily::kMeta, key, "before"), IsOk());
  }
  WriteBatch batch;
  batch.Put(ColumnFamily::kRefs, prefix + "2", "put");
  batch.Clear(ColumnFamily::kRefs, prefix);
  ASSERT_THAT(store_->Write(batch, Durability::kSynced), IsOk());
  EXPECT_THAT(Scan(ColumnFamily::kRefs, "", ""),
              ElementsAre(Pair("a", "before"), Pair(prefix + "2", "put"), Pair("b", "before")));
  EXPECT_EQ(Scan(ColumnFamily::kMeta, "", "").size(), 4U);
  if (GetParam() == "rocksdb") Open();
  EXPECT_EQ(Scan(ColumnFamily::kRefs, "", "").size(), 3U);
}

TEST_P(KvConformanceTest, AnEmptyValueIsNotAMissingOne) {
  ASSERT_THAT(Put(ColumnFamily::kMeta, "key", ""), IsOk());
  EXPECT_THAT(store_->Get(ColumnFamily::kMeta, "key"), IsOkAndHolds(Optional(std::string())));
}

TEST_P(KvConformanceTest, KeysAndValuesAreBytes) {
  const std::string key("\0\xff\n\x80", 4);
  const std::string value("\0\0\xfe", 3);
  ASSERT_THAT(Put(ColumnFamily::kObjects, key, value), IsOk());
  EXPECT_THAT(store_->Get(ColumnFamily::kObjects, key), IsOkAndHolds(Optional(value)));
}

TEST_P(KvConformanceTest, ColumnFamiliesDoNotSeeEachOther) {
  for (int i = 0; i < kColumnFamilyCount; ++i)
    ASSERT_THAT(Put(static_cast<ColumnFamily>(i), "key", std::to_string(i)), IsOk());
  for (int i = 0; i < kColumnFamilyCount; ++i) {
    EXPECT_THAT(store_->Get(static_cast<ColumnFamily>(i), "key"),
                IsOkAndHolds(Optional(std::to_string(i))));
  }
}

TEST_P(KvConformanceTest, LaterChangesOfABatchWinOverEarlierOnes) {
  WriteBatch batch;
  batch.Put(ColumnFamily::kMeta, "kept", "first");
  batch.Delete(ColumnFamily::kMeta, "kept");
  batch.Put(ColumnFamily::kMeta, "kept", "last");
  batch.Put(ColumnFamily::kMeta, "gone", "first");
  batch.Delete(ColumnFamily::kMeta, "gone");
  ASSERT_THAT(store_->Write(batch, Durability::kSynced), IsOk());
  EXPECT_THAT(store_->Get(ColumnFamily::kMeta, "kept"),
              IsOkAndHolds(Optional(std::string("last"))));
  EXPECT_THAT(store_->Get(ColumnFamily::kMeta, "gone"), IsOkAndHolds(Eq(std::nullopt)));
}

TEST_P(KvConformanceTest, DeletingWhatIsNotThereAndWritingNothingAreFine) {
  WriteBatch batch;
  EXPECT_THAT(store_->Write(batch, Durability::kSynced), IsOk());
  batch.Delete(ColumnFamily::kMeta, "nothing");
  EXPECT_THAT(store_->Write(batch, Durability::kSynced), IsOk());
}

TEST_P(KvConformanceTest, ScanVisitsExactlyThePrefixInOrderFromTheStart) {
  for (const char* key : {"a", "b", "b/1", "b/2", "b/3", "b0", "c"})
    ASSERT_THAT(Put(ColumnFamily::kRefs, key, "v"), IsOk());
  EXPECT_THAT(Scan(ColumnFamily::kRefs, "b/", ""),
              ElementsAre(Pair("b/1", "v"), Pair("b/2", "v"), Pair("b/3", "v")));
  EXPECT_THAT(Scan(ColumnFamily::kRefs, "b/", "2"),
              ElementsAre(Pair("b/2", "v"), Pair("b/3", "v")));
  EXPECT_THAT(Scan(ColumnFamily::kRefs, "b/", "4"), IsEmpty());
  EXPECT_EQ(Scan(ColumnFamily::kRefs, "", "").size(), 7U);
  EXPECT_THAT(Scan(ColumnFamily::kNodes, "", ""), IsEmpty());
}

TEST_P(KvConformanceTest, ScanOfAPrefixOfHighBytesReachesTheEnd) {
  const std::string high("\xff\xff", 2);
  ASSERT_THAT(Put(ColumnFamily::kRefs, high, "1"), IsOk());
  ASSERT_THAT(Put(ColumnFamily::kRefs, high + "\xff", "2"), IsOk());
  EXPECT_EQ(Scan(ColumnFamily::kRefs, high, "").size(), 2U);
  EXPECT_EQ(Scan(ColumnFamily::kRefs, std::string("\x01\xff", 2), "").size(), 0U);
}

TEST_P(KvConformanceTest, ScanStopsWhenTheVisitorSaysSo) {
  for (const char* key : {"a", "b", "c"}) ASSERT_THAT(Put(ColumnFamily::kRefs, key, "v"), IsOk());
  int visits = 0;
  ASSERT_THAT(store_->Scan(ColumnFamily::kRefs, "", "",
                           [&](std::string_view, std::string_view) { return ++visits < 2; }),
              IsOk());
  EXPECT_EQ(visits, 2);
}

TEST_P(KvConformanceTest, ScanSeesOneMomentWhileItsVisitorWrites) {
  for (const char* key : {"a", "b"}) ASSERT_THAT(Put(ColumnFamily::kRefs, key, "before"), IsOk());
  Entries seen;
  const Status status =
      store_->Scan(ColumnFamily::kRefs, "", "", [&](std::string_view key, std::string_view value) {
        seen.emplace_back(key, value);
        return Put(ColumnFamily::kRefs, "b", "during").ok() &&
               Put(ColumnFamily::kRefs, "c", "during").ok();
      });
  ASSERT_THAT(status, IsOk());
  EXPECT_THAT(seen, ElementsAre(Pair("a", "before"), Pair("b", "before")));
  EXPECT_THAT(store_->Get(ColumnFamily::kRefs, "b"), IsOkAndHolds(Optional(std::string("during"))));
}

TEST_P(KvConformanceTest, LargePayloadsComeBackWhole) {
  std::string payload(3U << 20, '\0');
  for (std::size_t i = 0; i < payload.size(); ++i)
    payload[i] = static_cast<char>(i * 2654435761U >> 13);
  ASSERT_THAT(Put(ColumnFamily::kPayload, "large", payload), IsOk());
  EXPECT_THAT(store_->VerifyChecksums(), IsOk());
  ASSERT_OK_AND_ASSIGN(const auto read, store_->Get(ColumnFamily::kPayload, "large"));
  EXPECT_TRUE(read == payload);
}

// Random puts, deletes, reads, scans and (RocksDB) reopenings against std::map.
TEST_P(KvConformanceTest, RandomOperationsAgreeWithAMap) {
  const auto seed = std::random_device{}();
  SCOPED_TRACE("seed " + std::to_string(seed));
  std::mt19937 random(seed);
  std::map<std::pair<int, std::string>, std::string> oracle;
  const auto below = [&](unsigned bound) { return static_cast<int>(random() % bound); };
  for (int step = 0; step < 3000; ++step) {
    WriteBatch batch;
    for (int change = below(4); change >= 0; --change) {
      const int family = below(kColumnFamilyCount);
      const std::string key = std::to_string(below(50));
      if (below(4) == 0) {
        batch.Delete(static_cast<ColumnFamily>(family), key);
        oracle.erase({family, key});
      } else {
        const std::string value(static_cast<std::size_t>(below(20) == 0 ? below(9000) : below(40)),
                                static_cast<char>(random()));
        batch.Put(static_cast<ColumnFamily>(family), key, value);
        oracle[{family, key}] = value;
      }
    }
    ASSERT_THAT(store_->Write(batch, below(10) == 0 ? Durability::kSynced : Durability::kUnsynced),
                IsOk());
    const int family = below(kColumnFamilyCount);
    const std::string key = std::to_string(below(50));
    const auto expected = oracle.find({family, key});
    ASSERT_OK_AND_ASSIGN(const auto read, store_->Get(static_cast<ColumnFamily>(family), key));
    ASSERT_EQ(read.has_value(), expected != oracle.end());
    if (read) {
      ASSERT_EQ(*read, expected->second);
    }
    if (step % 500 == 499 && GetParam() == "rocksdb") Open();
    if (step % 200 != 0) continue;
    const std::string prefix = std::to_string(below(10));
    Entries inside;
    for (const auto& [where, value] : oracle) {
      if (where.first == family && where.second.starts_with(prefix))
        inside.emplace_back(where.second, value);
    }
    ASSERT_EQ(Scan(static_cast<ColumnFamily>(family), prefix, ""), inside);
  }
  EXPECT_THAT(store_->VerifyChecksums(), IsOk());
}

INSTANTIATE_TEST_SUITE_P(Stores, KvConformanceTest, ::testing::Values("memory", "rocksdb"),
                         [](const auto& backend) { return backend.param; });

TEST(ColumnFamilyTest, NamesAreThoseOnDisk) {
  EXPECT_EQ(ColumnFamilyName(ColumnFamily::kMeta), "meta");
  EXPECT_EQ(ColumnFamilyName(ColumnFamily::kPayload), "payload");
  EXPECT_EQ(ColumnFamilyName(ColumnFamily::kIdempotency), "idempotency");
}

}  // namespace
}  // namespace emend::storage::kv::kv_conformance_test
