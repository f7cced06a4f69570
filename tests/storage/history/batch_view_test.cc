#include "storage/history/batch_view.h"

#include "tests/support/memory_kv.h"
#include "tests/support/status_matchers.h"

namespace emend::storage::history::batch_view_test {
namespace {

using emend::test::IsOk;
using emend::test::IsOkAndHolds;
using emend::test::StatusIs;
using kv::ColumnFamily;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

class BatchViewTest : public ::testing::Test {
 protected:
  BatchViewTest() {
    kv::WriteBatch stored;
    for (const char* key : {"a1", "a3", "a5", "b1"}) stored.Put(ColumnFamily::kRefs, key, "stored");
    EMEND_CHECK(store_->Write(stored, kv::Durability::kSynced).ok(),
                "the store in memory did not take a write");
    batch_.Put(ColumnFamily::kRefs, "a2", "first");
    batch_.Put(ColumnFamily::kRefs, "a2", "put");
    batch_.Put(ColumnFamily::kRefs, "a3", "put");
    batch_.Delete(ColumnFamily::kRefs, "a5");
    batch_.Put(ColumnFamily::kRefs, "a6", "put");
    batch_.Put(ColumnFamily::kMeta, "a4", "in another family");
  }
  std::vector<std::string> Scan(std::string_view prefix, std::string_view start,
                                std::size_t count_max = 100) {
    std::vector<std::string> seen;
    const auto visit = [&](std::string_view key, std::string_view value) {
      seen.push_back(std::string(key) + "=" + std::string(value));
      return seen.size() < count_max;
    };
    EXPECT_THAT(BatchView(*store_, batch_).Scan(ColumnFamily::kRefs, prefix, start, visit), IsOk());
    return seen;
  }

  std::unique_ptr<emend::test::MemoryKv> store_ = emend::test::NewMemoryKv();
  kv::WriteBatch batch_;
};

TEST_F(BatchViewTest, GetSeesTheBatchBeforeTheStore) {
  BatchView view(*store_, batch_);
  using Value = std::optional<std::string>;
  EXPECT_THAT(view.Get(ColumnFamily::kRefs, "a1"), IsOkAndHolds(Value("stored")));
  EXPECT_THAT(view.Get(ColumnFamily::kRefs, "a2"), IsOkAndHolds(Value("put")));
  EXPECT_THAT(view.Get(ColumnFamily::kRefs, "a3"), IsOkAndHolds(Value("put")));
  EXPECT_THAT(view.Get(ColumnFamily::kRefs, "a5"), IsOkAndHolds(Value()));
  EXPECT_THAT(view.Get(ColumnFamily::kMeta, "a1"), IsOkAndHolds(Value()));
}

TEST_F(BatchViewTest, WhatTheBatchClearsIsNotThereButForWhatItPuts) {
  batch_.Clear(ColumnFamily::kRefs, "a");
  EXPECT_THAT(Scan("", ""), ElementsAre("a2=put", "a3=put", "a6=put", "b1=stored"));
  EXPECT_THAT(BatchView(*store_, batch_).Get(ColumnFamily::kRefs, "a1"),
              IsOkAndHolds(std::optional<std::string>()));
}

TEST_F(BatchViewTest, ScanMergesBothInOrder) {
  EXPECT_THAT(Scan("a", ""), ElementsAre("a1=stored", "a2=put", "a3=put", "a6=put"));
  EXPECT_THAT(Scan("a", "3"), ElementsAre("a3=put", "a6=put"));
  EXPECT_THAT(Scan("", ""), ElementsAre("a1=stored", "a2=put", "a3=put", "a6=put", "b1=stored"));
  EXPECT_THAT(Scan("c", ""), IsEmpty());
}

TEST_F(BatchViewTest, ScanStopsWhereTheVisitorSays) {
  EXPECT_THAT(Scan("", "", 2), ElementsAre("a1=stored", "a2=put"));
  EXPECT_THAT(Scan("", "", 3), ElementsAre("a1=stored", "a2=put", "a3=put"));
  EXPECT_THAT(Scan("", "", 4), ElementsAre("a1=stored", "a2=put", "a3=put", "a6=put"));
}

TEST_F(BatchViewTest, ChangesPutAfterwardsAreNotSeenAndDoNoHarm) {
  BatchView view(*store_, batch_);
  for (int i = 0; i < 1000; ++i) batch_.Put(ColumnFamily::kRefs, "a9" + std::to_string(i), "later");
  EXPECT_THAT(view.Get(ColumnFamily::kRefs, "a2"), IsOkAndHolds(std::optional<std::string>("put")));
  EXPECT_THAT(view.Get(ColumnFamily::kRefs, "a97"), IsOkAndHolds(std::optional<std::string>()));
}

TEST_F(BatchViewTest, WritingIsRefused) {
  EXPECT_THAT(BatchView(*store_, batch_).Write({}, kv::Durability::kSynced),
              StatusIs(StatusCode::kInternal));
}

}  // namespace
}  // namespace emend::storage::history::batch_view_test
