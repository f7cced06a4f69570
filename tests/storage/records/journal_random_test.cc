// Random commits, failures and restarts against a plain model; and commits, reads and failures from
// several threads.
#include <atomic>
#include <map>
#include <random>
#include <thread>

#include "storage/base/failpoint.h"
#include "storage/base/log.h"
#include "storage/kv/rocks_session.h"
#include "storage/records/journal.h"
#include "tests/support/crash_file_system.h"
#include "tests/support/memory_file_system.h"
#include "tests/support/memory_kv.h"
#include "tests/support/status_matchers.h"
#include "tests/support/temporary_folder.h"

namespace emend::storage::records::journal_random_test {
namespace {

using ::emend::test::IsOk;
using ::emend::test::IsOkAndHolds;
using ::emend::test::TemporaryFolder;
using kv::ColumnFamily;
using ::testing::Optional;

AuditAct Act(const std::string& name) { return {name, {}}; }

// What must be true: values, and the acts in order. A commit that is not acknowledged but stands is
// in both.
struct Model {
  std::map<std::string, std::string> values;
  std::vector<std::string> acts;
};

class JournalRandomTest : public ::testing::Test {
 protected:
  JournalRandomTest() {
    SetLogLevel(LogLevel::kOff);
    Open();
  }
  ~JournalRandomTest() override {
    SetLogLevel(LogLevel::kInfo);
    EXPECT_THAT(ArmFailpoints(""), IsOk());
  }
  void Open() {
    journal_.reset();
    auto opened = Journal::Open(*store_, files_, clock_, "anchor");
    ASSERT_THAT(opened, IsOk());
    journal_ = std::move(opened).value();
  }
  // Lets something fail in the next commit; returns whether the commit's change may stand all the
  // same.
  bool ArmFailure() {
    switch (random_() % 5) {
      case 0: store_->FailNextWrites(1, Unavailable("the test")); return false;
      case 1: files_.FailNextWrites(1); return true;
      case 2: EXPECT_THAT(ArmFailpoints("journal.before_batch:1:error"), IsOk()); return false;
      case 3: EXPECT_THAT(ArmFailpoints("journal.after_batch:1:error"), IsOk()); return true;
      default: EXPECT_THAT(ArmFailpoints("journal.after_anchor:1:error"), IsOk()); return true;
    }
  }
  void Disarm() {
    store_->FailNextWrites(0, OkStatus());
    files_.FailNextWrites(0);
    EXPECT_THAT(ArmFailpoints(""), IsOk());
  }
  // One commit of one to three acts.
  Status Commit(int number, Model& model) {
    const std::string key = std::to_string(random_() % 20);
    const std::string value = std::to_string(number);
    std::vector<std::string> acts;
    for (std::size_t i = 0; i <= random_() % 3; ++i)
      acts.push_back(value + "." + std::to_string(i));
    const Status status = journal_
                              ->Commit({"ada", ""},
                                       [&](Transaction& transaction) {
                                         transaction.batch().Put(ColumnFamily::kMeta, key, value);
                                         for (const std::string& act : acts)
                                           transaction.Audit(Act(act));
                                         return OkStatus();
                                       })
                              .status();
    model.values[key] = value;
    model.acts.insert(model.acts.end(), acts.begin(), acts.end());
    return status;
  }
  void ExpectModel(const Model& model) {
    for (const auto& [key, value] : model.values)
      ASSERT_THAT(store_->Get(ColumnFamily::kMeta, key), IsOkAndHolds(Optional(value)));
    std::vector<std::string> acts;
    ASSERT_THAT(journal_->Read(1,
                               [&](const AuditEntry& entry) {
                                 acts.push_back(entry.act.act);
                                 return true;
                               }),
                IsOk());
    ASSERT_EQ(acts, model.acts);
    ASSERT_EQ(journal_->head(), model.acts.size());
    ASSERT_THAT(journal_->Verify(), IsOk());
  }

  SystemClock clock_;
  test::MemoryFileSystem files_;
  std::unique_ptr<test::MemoryKv> store_ = test::NewMemoryKv();
  std::unique_ptr<Journal> journal_;
  std::mt19937 random_;
};

TEST_F(JournalRandomTest, AgreesWithAModelWhateverFails) {
  const auto seed = std::random_device{}();
  SCOPED_TRACE("seed " + std::to_string(seed));
  random_.seed(seed);
  Model model;
  for (int number = 0; number < 3000; ++number) {
    const bool fails = random_() % 4 == 0;
    const bool may_stand = !fails || ArmFailure();
    Model after = model;
    const Status status = Commit(number, after);
    ASSERT_EQ(status.ok(), !fails) << status.ToString();
    // A disk that refuses the anchor record which an earlier commit still lacks refuses the commit
    // before it has begun.
    const bool begun = status.code() != StatusCode::kResourceExhausted;
    if (may_stand && begun) model = after;
    Disarm();
    if (random_() % 10 == 0) {
      store_->LoseUnsynced();
      Open();
    }
    // A change that stands but was not anchored is finished by the next commit or opening.
    if (!fails && random_() % 20 == 0) ExpectModel(model);
    if (HasFatalFailure()) return;
  }
  Open();
  ExpectModel(model);
}

TEST_F(JournalRandomTest, CommitsOfManyThreadsAreOneAfterAnother) {
  constexpr int kThreads = 4;
  constexpr int kCommits = 200;
  std::atomic<bool> done = false;
  std::thread reader([&] {
    while (!done) {
      std::uint64_t last = 0;
      const std::uint64_t head = journal_->head();
      EXPECT_THAT(journal_->Read(1,
                                 [&](const AuditEntry& entry) {
                                   last = entry.sequence;
                                   return true;
                                 }),
                  IsOk());
      EXPECT_GE(last, head);
      EXPECT_THAT(journal_->Verify(), IsOk());
    }
  });
  std::vector<std::thread> writers;
  for (int thread = 0; thread < kThreads; ++thread) {
    writers.emplace_back([&] {
      for (int i = 0; i < kCommits; ++i) {
        // Read, check and write: correct only if no other commit comes between.
        const auto committed =
            journal_->Commit({"ada", ""}, [](Transaction& transaction) -> Status {
              EMEND_ASSIGN_OR_RETURN(const auto stored,
                                     transaction.store().Get(ColumnFamily::kMeta, "count"));
              transaction.batch().Put(ColumnFamily::kMeta, "count",
                                      std::to_string(stored ? std::stoi(*stored) + 1 : 1));
              transaction.Audit(Act("count"));
              return OkStatus();
            });
        EXPECT_THAT(committed, IsOk());
      }
    });
  }
  for (std::thread& writer : writers) writer.join();
  done = true;
  reader.join();
  EXPECT_EQ(journal_->head(), static_cast<std::uint64_t>(kThreads * kCommits));
  EXPECT_THAT(store_->Get(ColumnFamily::kMeta, "count"),
              IsOkAndHolds(Optional(std::to_string(kThreads * kCommits))));
}

// The anchor's disk: it goes down together with the database's, in the middle of an append or
// before it.
class CutFiles final : public PosixFileSystem {
 public:
  CutFiles(const test::CrashFileSystem& disk, std::mt19937& random)
      : disk_(disk), random_(random) {}

  Status AppendSynced(const std::string& path, std::string_view bytes) override {
    if (!disk_.down()) return PosixFileSystem::AppendSynced(path, bytes);
    EMEND_RETURN_IF_ERROR(
        PosixFileSystem::AppendSynced(path, bytes.substr(0, random_() % bytes.size())));
    return Unavailable("the test cut the power");
  }
  Status WriteAtomically(const std::string& path, std::string_view bytes,
                         std::uint32_t mode) override {
    return disk_.down() ? Unavailable("the test cut the power")
                        : PosixFileSystem::WriteAtomically(path, bytes, mode);
  }

 private:
  const test::CrashFileSystem& disk_;
  std::mt19937& random_;
};

// Commits until the power is cut at a random call, loses what was not synced, and opens: every
// acknowledged commit is there with its payload.
TEST(JournalPowerCutTest, AcknowledgedCommitsSurviveTheLossOfUnsyncedData) {
  SetLogLevel(LogLevel::kOff);
  const auto seed = std::random_device{}();
  SCOPED_TRACE("seed " + std::to_string(seed));
  std::mt19937 random(seed);
  const TemporaryFolder folder;
  const auto disk = std::make_shared<test::CrashFileSystem>();
  CutFiles files(*disk, random);
  SystemClock clock;
  std::uint64_t acknowledged = 0;
  for (int cycle = 0; cycle < 40; ++cycle) {
    ASSERT_OK_AND_ASSIGN(auto store, kv::OpenRocksKvOn({.path = folder.path() + "/db"}, disk));
    ASSERT_OK_AND_ASSIGN(auto journal,
                         Journal::Open(*store, files, clock, folder.path() + "/anchor"));
    ASSERT_THAT(journal->Verify(), IsOk()) << "cycle " << cycle;
    ASSERT_GE(journal->head(), acknowledged) << "cycle " << cycle;
    ASSERT_LE(journal->head(), acknowledged + 1) << "cycle " << cycle;
    for (std::uint64_t number = 1; number <= journal->head(); ++number) {
      const std::string key = std::to_string(number);
      ASSERT_THAT(store->Get(ColumnFamily::kMeta, key), IsOkAndHolds(Optional(key)))
          << "cycle " << cycle;
      ASSERT_THAT(store->Get(ColumnFamily::kPayload, key),
                  IsOkAndHolds(Optional(std::string(number * 7919 % 9000, 'p'))))
          << "cycle " << cycle;
    }
    acknowledged = journal->head();
    disk->FailAt(1 + static_cast<int>(random() % 60), test::Fault::kPowerCut);
    Status status;
    while (status.ok()) {
      const std::string key = std::to_string(journal->head() + 1);
      kv::WriteBatch payload;
      payload.Put(ColumnFamily::kPayload, key,
                  std::string((journal->head() + 1) * 7919 % 9000, 'p'));
      status = store->Write(payload, kv::Durability::kUnsynced);
      if (!status.ok()) break;
      const auto committed = journal->Commit({"ada", ""}, [&](Transaction& transaction) {
        transaction.batch().Put(ColumnFamily::kMeta, key, key);
        transaction.Audit(Act("put"));
        return OkStatus();
      });
      status = committed.status();
      if (committed.ok()) acknowledged = *committed;
    }
    journal.reset();
    store.reset();
    disk->LoseUnsynced(random, cycle % 2 == 0 ? test::Tails::kDropped : test::Tails::kTorn);
  }
  EXPECT_GT(acknowledged, 40U);
  SetLogLevel(LogLevel::kInfo);
}

// Readers go on while writes fail and the store reopens its files under them.
TEST(JournalThreadsTest, ReadersSeeEveryAcknowledgedValueWhileTheStoreReopens) {
  SetLogLevel(LogLevel::kOff);
  const TemporaryFolder folder;
  const auto disk = std::make_shared<test::CrashFileSystem>();
  ASSERT_OK_AND_ASSIGN(const auto store, kv::OpenRocksKvOn({.path = folder.path() + "/db"}, disk));
  std::atomic<int> acknowledged = 0;
  std::atomic<bool> done = false;
  std::vector<std::thread> readers;
  for (int thread = 0; thread < 2; ++thread) {
    readers.emplace_back([&] {
      while (!done) {
        const int count = acknowledged;
        if (count == 0) continue;
        const std::string key = std::to_string(count);
        EXPECT_THAT(store->Get(ColumnFamily::kMeta, key), IsOkAndHolds(Optional(key)));
        std::this_thread::yield();
      }
    });
  }
  for (int number = 1; number <= 200; ++number) {
    if (number % 20 == 0) disk->FailNextSync(test::Fault::kIoError);
    kv::WriteBatch batch;
    batch.Put(ColumnFamily::kMeta, std::to_string(number), std::to_string(number));
    if (store->Write(batch, kv::Durability::kSynced).ok()) acknowledged = number;
  }
  done = true;
  for (std::thread& reader : readers) reader.join();
  EXPECT_GE(acknowledged, 199);
  SetLogLevel(LogLevel::kInfo);
}

}  // namespace
}  // namespace emend::storage::records::journal_random_test
