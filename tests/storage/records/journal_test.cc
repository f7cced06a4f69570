#include "storage/records/journal.h"

#include "storage/base/failpoint.h"
#include "storage/records/anchor.h"
#include "storage/records/audit_chain.h"
#include "tests/support/memory_file_system.h"
#include "tests/support/memory_kv.h"
#include "tests/support/status_matchers.h"

namespace emend::storage::records::journal_test {
namespace {

using ::emend::test::IsOk;
using ::emend::test::IsOkAndHolds;
using ::emend::test::StatusIs;
using kv::ColumnFamily;
using ::testing::ElementsAre;
using ::testing::Eq;
using ::testing::HasSubstr;
using ::testing::Optional;

constexpr char kAnchor[] = "store/anchor";
constexpr std::size_t kRecordBytes = 48;

class JournalTest : public ::testing::Test {
 protected:
  JournalTest() { EXPECT_THAT(Open(), IsOk()); }
  ~JournalTest() override { EXPECT_THAT(ArmFailpoints(""), IsOk()); }

  Status Open() {
    journal_.reset();
    auto opened = Journal::Open(*store_, files_, clock_, kAnchor);
    if (!opened.ok()) return opened.status();
    journal_ = std::move(opened).value();
    return OkStatus();
  }
  // Puts meta/key = value with one audit entry "test.put".
  Result<std::uint64_t> Put(const std::string& key, const std::string& value) {
    return journal_->Commit(principal_, [&](Transaction& transaction) {
      transaction.batch().Put(ColumnFamily::kMeta, key, value);
      transaction.Audit({"test.put", {{"key", key}}});
      return OkStatus();
    });
  }
  void PutMany(int count) {
    for (int i = 0; i < count; ++i) ASSERT_THAT(Put("key" + std::to_string(i), "value"), IsOk());
  }
  Result<std::optional<std::string>> Value(const std::string& key) {
    return store_->Get(ColumnFamily::kMeta, key);
  }
  std::vector<std::string> Acts() {
    std::vector<std::string> acts;
    EXPECT_THAT(
        journal_->Read(1,
                       [&](const AuditEntry& entry) {
                         acts.push_back(std::to_string(entry.sequence) + " " + entry.act.act);
                         return true;
                       }),
        IsOk());
    return acts;
  }
  std::string AnchorBytes() { return *files_.Read(kAnchor); }
  void SetAnchorBytes(const std::string& bytes) {
    ASSERT_THAT(files_.WriteAtomically(kAnchor, bytes, 0600), IsOk());
  }
  void Raw(const std::string& key, const std::optional<std::string>& value) {
    kv::WriteBatch batch;
    if (value) batch.Put(ColumnFamily::kAudit, key, *value);
    if (!value) batch.Delete(ColumnFamily::kAudit, key);
    ASSERT_THAT(store_->Write(batch, kv::Durability::kSynced), IsOk());
  }

  const Principal principal_{"ada", "token-1"};
  SystemClock clock_;
  test::MemoryFileSystem files_;
  std::unique_ptr<test::MemoryKv> store_ = test::NewMemoryKv();
  std::unique_ptr<Journal> journal_;
};

TEST_F(JournalTest, ANewStoreHasNoEntriesAndAnAnchorThatSaysSo) {
  EXPECT_EQ(journal_->head(), 0U);
  EXPECT_THAT(journal_->Verify(), IsOk());
  ASSERT_OK_AND_ASSIGN(const Anchor anchor, ReadAnchor(files_, kAnchor));
  EXPECT_THAT(anchor.lines, ElementsAre(AnchorLine{0, Digest()}));
}

TEST_F(JournalTest, ACommitWritesItsChangesWithOneLinkedEntryPerAct) {
  const auto sequence = journal_->Commit(principal_, [&](Transaction& transaction) {
    EXPECT_EQ(transaction.principal(), principal_);
    transaction.batch().Put(ColumnFamily::kRefs, "main", "1");
    transaction.Audit({"commit.create", {{"repo", "atlas"}, {"commit", "12ab"}}});
    transaction.Audit({"ref.move", {{"ref", "main"}}});
    return OkStatus();
  });
  EXPECT_THAT(sequence, IsOkAndHolds(Eq(2U)));
  EXPECT_EQ(journal_->head(), 2U);
  EXPECT_THAT(Acts(), ElementsAre("1 commit.create", "2 ref.move"));
  EXPECT_THAT(journal_->Verify(), IsOk());
  ASSERT_THAT(Open(), IsOk());
  EXPECT_EQ(journal_->head(), 2U);
}

TEST_F(JournalTest, EntriesKeepWhoWhenAndWhat) {
  ASSERT_THAT(Put("key", "value"), IsOk());
  AuditEntry read;
  ASSERT_THAT(journal_->Read(1,
                             [&](const AuditEntry& entry) {
                               read = entry;
                               return true;
                             }),
              IsOk());
  EXPECT_EQ(read.sequence, 1U);
  EXPECT_TRUE(read.previous.IsZero());
  EXPECT_GT(read.time_ms, 1'600'000'000'000);
  EXPECT_EQ(read.principal, principal_);
  EXPECT_THAT(read.act.ids, ElementsAre(std::pair<std::string, std::string>("key", "key")));
}

TEST_F(JournalTest, OneCommitMayFinishWhatSeveralPrincipalsHaveAskedFor) {
  ASSERT_THAT(journal_->Commit(principal_,
                               [](Transaction& transaction) {
                                 transaction.Audit({"first", {}});
                                 transaction.ActAs({"bob", "token-2"});
                                 EXPECT_EQ(transaction.principal().name, "bob");
                                 transaction.Audit({"second", {}});
                                 return OkStatus();
                               }),
              IsOk());
  std::vector<std::string> who;
  ASSERT_THAT(journal_->Read(1,
                             [&](const AuditEntry& entry) {
                               who.push_back(entry.principal.name + " " + entry.act.act);
                               return true;
                             }),
              IsOk());
  EXPECT_THAT(who, ElementsAre("ada first", "bob second"));
  EXPECT_THAT(journal_->Verify(), IsOk());
}

TEST_F(JournalTest, ReadStartsWhereItIsToldAndStopsWhenItIsTold) {
  PutMany(5);
  std::vector<std::uint64_t> seen;
  ASSERT_THAT(journal_->Read(3,
                             [&](const AuditEntry& entry) {
                               seen.push_back(entry.sequence);
                               return seen.size() < 2;
                             }),
              IsOk());
  EXPECT_THAT(seen, ElementsAre(3U, 4U));
  EXPECT_THAT(journal_->Read(6, [](const AuditEntry&) { return true; }), IsOk());
}

TEST_F(JournalTest, ABuildThatFailsChangesNothing) {
  const auto sequence = journal_->Commit(principal_, [&](Transaction& transaction) {
    transaction.batch().Put(ColumnFamily::kMeta, "key", "value");
    transaction.Audit({"test.put", {}});
    return Status(StatusCode::kConflict, "stale_head", "the test lets this fail");
  });
  EXPECT_THAT(sequence, StatusIs(StatusCode::kConflict, "stale_head"));
  EXPECT_THAT(Value("key"), IsOkAndHolds(Eq(std::nullopt)));
  EXPECT_EQ(journal_->head(), 0U);
}

TEST_F(JournalTest, ABatchThatFailsChangesNothingAndTheNextCommitWorks) {
  PutMany(2);
  store_->FailNextWrites(1, ResourceExhausted("full"));
  EXPECT_THAT(Put("lost", "value"), StatusIs(StatusCode::kResourceExhausted));
  EXPECT_EQ(journal_->head(), 2U);
  EXPECT_THAT(Put("kept", "value"), IsOkAndHolds(Eq(3U)));
  EXPECT_THAT(journal_->Verify(), IsOk());
}

TEST_F(JournalTest, AnAnchorThatCannotBeWrittenLeavesTheChangeAndIsCaughtUpByTheNextCommit) {
  files_.FailNextWrites(1);
  EXPECT_THAT(Put("first", "value"), StatusIs(StatusCode::kUnavailable, "anchor_not_written"));
  EXPECT_THAT(Value("first"), IsOkAndHolds(Optional(std::string("value"))));
  EXPECT_EQ(journal_->head(), 1U);
  files_.FailNextWrites(1);
  EXPECT_THAT(Put("refused", "value"), StatusIs(StatusCode::kResourceExhausted));
  EXPECT_THAT(Value("refused"), IsOkAndHolds(Eq(std::nullopt)));
  EXPECT_THAT(Put("second", "value"), IsOkAndHolds(Eq(2U)));
  ASSERT_OK_AND_ASSIGN(const Anchor anchor, ReadAnchor(files_, kAnchor));
  EXPECT_EQ(anchor.lines.size(), 3U);
  EXPECT_THAT(journal_->Verify(), IsOk());
}

TEST_F(JournalTest, OpenAppendsTheAnchorRecordThatACrashPrevented) {
  PutMany(2);
  const std::string before = AnchorBytes();
  PutMany(1);
  SetAnchorBytes(before);
  ASSERT_THAT(Open(), IsOk());
  EXPECT_EQ(journal_->head(), 3U);
  ASSERT_OK_AND_ASSIGN(const Anchor anchor, ReadAnchor(files_, kAnchor));
  EXPECT_EQ(anchor.last(), 3U);
}

TEST_F(JournalTest, ATornAnchorRecordIsToleratedAtEveryLengthIfItsEntryIsThere) {
  PutMany(2);
  const std::string whole = AnchorBytes();
  for (std::size_t cut = 1; cut < kRecordBytes; ++cut) {
    SetAnchorBytes(whole.substr(0, whole.size() - cut));
    ASSERT_THAT(Open(), IsOk());
    EXPECT_EQ(journal_->head(), 2U);
    EXPECT_THAT(journal_->Verify(), IsOk());
    EXPECT_EQ(AnchorBytes().size(), kRecordBytes);
  }
}

TEST_F(JournalTest, ATornAnchorRecordWithoutItsEntryIsALoss) {
  PutMany(2);
  SetAnchorBytes(AnchorBytes() + "torn");
  const Status opened = Open();
  EXPECT_THAT(opened, StatusIs(StatusCode::kDataLoss, "behind_anchor"));
}

TEST_F(JournalTest, AStoreBehindItsAnchorIsRefusedAndTheLostSequencesAreNamed) {
  PutMany(5);
  Raw(AuditKey(4), std::nullopt);
  Raw(AuditKey(5), std::nullopt);
  const Status opened = Open();
  EXPECT_THAT(opened, StatusIs(StatusCode::kDataLoss, "behind_anchor"));
  EXPECT_THAT(opened.message(), HasSubstr("4 to 5 are lost"));
}

TEST_F(JournalTest, AnEmptyStoreWithAnAnchorIsRefused) {
  PutMany(2);
  store_ = test::NewMemoryKv();
  EXPECT_THAT(Open(), StatusIs(StatusCode::kDataLoss, "behind_anchor"));
}

TEST_F(JournalTest, AMissingAnchorIsRefusedOnceThereAreEntries) {
  PutMany(1);
  ASSERT_THAT(files_.Remove(kAnchor), IsOk());
  EXPECT_THAT(Open(), StatusIs(StatusCode::kDataLoss, "anchor_corrupt"));
}

TEST_F(JournalTest, AnotherStoresAnchorIsRefused) {
  PutMany(2);
  const std::string bytes = AnchorBytes();
  store_ = test::NewMemoryKv();
  ASSERT_THAT(files_.Remove(kAnchor), IsOk());
  ASSERT_THAT(Open(), IsOk());
  ASSERT_THAT(Put("other", "value"), IsOk());
  ASSERT_THAT(Put("other", "value"), IsOk());
  SetAnchorBytes(bytes);
  EXPECT_THAT(Open(), StatusIs(StatusCode::kDataLoss, "anchor_mismatch"));
}

TEST_F(JournalTest, AChainWithAHoleOrAChangedEntryIsRefused) {
  PutMany(3);
  ASSERT_OK_AND_ASSIGN(const auto second, store_->Get(ColumnFamily::kAudit, AuditKey(2)));
  Raw(AuditKey(2), std::nullopt);
  EXPECT_THAT(journal_->Verify(), StatusIs(StatusCode::kDataLoss, "audit_broken"));
  EXPECT_THAT(Open(), StatusIs(StatusCode::kDataLoss, "audit_broken"));
  ASSERT_OK_AND_ASSIGN(AuditEntry changed, DecodeAuditEntry(*second));
  changed.principal.name = "eve";
  Raw(AuditKey(2), EncodeAuditEntry(changed));
  EXPECT_THAT(Open(), StatusIs(StatusCode::kDataLoss, "anchor_mismatch"));
}

TEST_F(JournalTest, VerifyLooksAtEntriesThatTheAnchorNoLongerHas) {
  PutMany(3);
  SetAnchorBytes(AnchorBytes().substr(3 * kRecordBytes));
  ASSERT_THAT(Open(), IsOk());
  ASSERT_THAT(journal_->Verify(), IsOk());
  Raw(AuditKey(1), "not an entry");
  EXPECT_THAT(journal_->Verify(), StatusIs(StatusCode::kDataLoss, "audit_broken"));
}

// One flipped bit anywhere in the anchor: refused, or the state is the one that was stored.
TEST_F(JournalTest, EveryFlippedBitOfTheAnchorIsRefusedOrHarmless) {
  PutMany(4);
  const std::string whole = AnchorBytes();
  ASSERT_EQ(whole.size(), 5 * kRecordBytes);
  for (std::size_t bit = 0; bit < 8 * whole.size(); ++bit) {
    std::string flipped = whole;
    flipped[bit / 8] = static_cast<char>(flipped[bit / 8] ^ (1 << (bit % 8)));
    SetAnchorBytes(flipped);
    const Status opened = Open();
    if (bit / 8 < 4 * kRecordBytes) {
      ASSERT_THAT(opened, StatusIs(StatusCode::kDataLoss, "anchor_corrupt")) << "bit " << bit;
      continue;
    }
    ASSERT_THAT(opened, IsOk()) << "bit " << bit;
    ASSERT_EQ(journal_->head(), 4U);
    ASSERT_EQ(AnchorBytes(), whole.substr(4 * kRecordBytes));
  }
}

TEST_F(JournalTest, TheAnchorIsCutBackBeforeItOutgrowsAMebibyte) {
  PutMany(1);
  PutMany((1 << 20) / static_cast<int>(kRecordBytes));
  ASSERT_OK_AND_ASSIGN(const Anchor cut, ReadAnchor(files_, kAnchor));
  EXPECT_LT(cut.lines.size(), 10U);
  EXPECT_EQ(cut.last(), journal_->head());
  ASSERT_THAT(Put("after", "value"), IsOk());
  EXPECT_THAT(journal_->Verify(), IsOk());
  EXPECT_THAT(Open(), IsOk());
}

TEST_F(JournalTest, AFailedFailpointBeforeTheBatchChangesNothing) {
  ASSERT_THAT(ArmFailpoints("journal.before_batch:1:error"), IsOk());
  EXPECT_THAT(Put("key", "value"), StatusIs(StatusCode::kInternal, "failpoint"));
  EXPECT_THAT(Value("key"), IsOkAndHolds(Eq(std::nullopt)));
  EXPECT_THAT(Put("key", "value"), IsOkAndHolds(Eq(1U)));
}

TEST_F(JournalTest, AFailureBehindTheBatchLeavesTheChange) {
  for (const char* name : {"journal.after_batch", "journal.after_anchor"}) {
    ASSERT_THAT(ArmFailpoints(std::string(name) + ":1:error"), IsOk());
    EXPECT_THAT(Put(name, "value"), StatusIs(StatusCode::kInternal, "failpoint"));
    EXPECT_THAT(Value(name), IsOkAndHolds(Optional(std::string("value"))));
  }
  EXPECT_THAT(Put("key", "value"), IsOkAndHolds(Eq(3U)));
  EXPECT_THAT(journal_->Verify(), IsOk());
}

TEST_F(JournalTest, LosingWhatWasNotSyncedLosesNoCommit) {
  PutMany(3);
  kv::WriteBatch unsynced;
  unsynced.Put(ColumnFamily::kPayload, "payload", "bytes");
  ASSERT_THAT(store_->Write(unsynced, kv::Durability::kUnsynced), IsOk());
  store_->LoseUnsynced();
  ASSERT_THAT(Open(), IsOk());
  EXPECT_EQ(journal_->head(), 3U);
  EXPECT_THAT(journal_->Verify(), IsOk());
  EXPECT_THAT(store_->Get(ColumnFamily::kPayload, "payload"), IsOkAndHolds(Eq(std::nullopt)));
}

TEST_F(JournalTest, ACommitMakesEarlierUnsyncedPayloadsDurable) {
  kv::WriteBatch payload;
  payload.Put(ColumnFamily::kPayload, "payload", "bytes");
  ASSERT_THAT(store_->Write(payload, kv::Durability::kUnsynced), IsOk());
  PutMany(1);
  store_->LoseUnsynced();
  EXPECT_THAT(store_->Get(ColumnFamily::kPayload, "payload"),
              IsOkAndHolds(Optional(std::string("bytes"))));
}

TEST(AuditEntryTest, AnyOneCutOrChangedByteOfAnEncodedEntryIsNoticed) {
  const AuditEntry entry{7,
                         Sha256("before"),
                         1'700'000'000'000,
                         {"ada", "t1"},
                         {"ref.move", {{"repo", "atlas"}, {"ref", "main"}}}};
  const std::string encoded = EncodeAuditEntry(entry);
  ASSERT_OK_AND_ASSIGN(const AuditEntry decoded, DecodeAuditEntry(encoded));
  EXPECT_EQ(EncodeAuditEntry(decoded), encoded);
  for (std::size_t size = 0; size < encoded.size(); ++size) {
    EXPECT_THAT(DecodeAuditEntry(encoded.substr(0, size)),
                StatusIs(StatusCode::kDataLoss, "audit_broken"))
        << size;
  }
  EXPECT_THAT(DecodeAuditEntry(encoded + "x"), StatusIs(StatusCode::kDataLoss, "audit_broken"));
}

TEST(AuditEntryTest, KeysSortBySequence) {
  EXPECT_LT(AuditKey(255), AuditKey(256));
  EXPECT_LT(AuditKey(1), AuditKey(1ULL << 40));
  EXPECT_EQ(AuditKey(0x0102030405060708ULL), "\x01\x02\x03\x04\x05\x06\x07\x08");
}

TEST_F(JournalTest, EntriesAreReadInPagesFromBothEnds) {
  PutMany(5);
  const auto sequences = [](const Result<std::vector<AuditEntry>>& page) {
    std::vector<std::uint64_t> list;
    for (const AuditEntry& entry : *page) list.push_back(entry.sequence);
    return list;
  };
  EXPECT_THAT(sequences(journal_->ReadPage(1, 100)), ElementsAre(1, 2, 3, 4, 5));
  EXPECT_THAT(sequences(journal_->ReadPage(4, 1)), ElementsAre(4));
  EXPECT_THAT(sequences(journal_->ReadPage(6, 1)), ElementsAre());
  EXPECT_THAT(sequences(journal_->ReadPage(1, 0)), ElementsAre());
  EXPECT_THAT(sequences(journal_->ReadPageBefore(0, 100)), ElementsAre(5, 4, 3, 2, 1));
  EXPECT_THAT(sequences(journal_->ReadPageBefore(4, 2)), ElementsAre(3, 2));
  EXPECT_THAT(sequences(journal_->ReadPageBefore(1, 2)), ElementsAre());
}

}  // namespace
}  // namespace emend::storage::records::journal_test
