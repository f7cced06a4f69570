// One flipped bit in any file of a store: noticed when it is opened, read or checked, or without
// effect. Never a wrong answer, never a silent loss.
#include <filesystem>
#include <fstream>
#include <iostream>
#include <map>
#include <random>

#include "storage/base/log.h"
#include "storage/kv/kv_store.h"
#include "storage/kv/rocks_session.h"
#include "storage/records/journal.h"
#include "tests/support/crash_file_system.h"
#include "tests/support/status_matchers.h"
#include "tests/support/temporary_folder.h"

namespace emend::storage::records::bit_rot_test {
namespace {

namespace fs = std::filesystem;
using ::emend::test::IsOk;
using Contents = std::map<std::pair<int, std::string>, std::string>;

enum class Outcome { kAtOpen, kAtAnchor, kAtRead, kAtCheck, kHarmless, kSilent };

class BitRotTest : public ::testing::TestWithParam<std::string> {
 protected:
  BitRotTest() { SetLogLevel(LogLevel::kOff); }  // damage is the point
  ~BitRotTest() override { SetLogLevel(LogLevel::kInfo); }

  // A store with tables and blobs, and a log that has later commits.
  void MakeStore(const std::string& folder) {
    ASSERT_OK_AND_ASSIGN(const auto store, Open(folder));
    ASSERT_OK_AND_ASSIGN(const auto journal,
                         Journal::Open(*store, files_, clock_, folder + "/anchor"));
    for (int number = 0; number < 60; ++number) {
      if (number == 30) {  // flushes into tables
        ASSERT_THAT(store->VerifyChecksums(), IsOk());
      }
      kv::WriteBatch payload;
      payload.Put(kv::ColumnFamily::kPayload, std::to_string(number),
                  std::string(number % 3 == 0 ? 9000 : 500, static_cast<char>('a' + number % 26)));
      ASSERT_THAT(store->Write(payload, kv::Durability::kUnsynced), IsOk());
      ASSERT_THAT(journal->Commit({"ada", "t1"},
                                  [&](Transaction& transaction) {
                                    transaction.batch().Put(kv::ColumnFamily::kObjects,
                                                            std::to_string(number),
                                                            std::string(100, 'x'));
                                    transaction.Audit({"test.put", {}});
                                    return OkStatus();
                                  }),
                  IsOk());
    }
    ASSERT_OK_AND_ASSIGN(contents_, Read(*store));
  }
  Result<std::unique_ptr<kv::KvStore>> Open(const std::string& folder) {
    // for speed: it never waits for the disk
    return kv::OpenRocksKvOn({.path = folder + "/db"},
                             std::make_shared<emend::test::CrashFileSystem>());
  }
  static Result<Contents> Read(kv::KvStore& store) {
    Contents contents;
    for (int i = 0; i < kv::kColumnFamilyCount; ++i) {
      EMEND_RETURN_IF_ERROR(store.Scan(static_cast<kv::ColumnFamily>(i), "", "",
                                       [&](std::string_view key, std::string_view value) {
                                         contents[{i, std::string(key)}] = value;
                                         return true;
                                       }));
    }
    return contents;
  }
  Outcome Judge(const std::string& folder) {
    const auto store = Open(folder);
    if (!store.ok()) {
      EXPECT_EQ(store.status().code(), StatusCode::kDataLoss) << store.status().ToString();
      return Outcome::kAtOpen;
    }
    const auto journal = Journal::Open(**store, files_, clock_, folder + "/anchor");
    if (!journal.ok()) {
      EXPECT_EQ(journal.status().code(), StatusCode::kDataLoss) << journal.status().ToString();
      return Outcome::kAtAnchor;
    }
    const auto read = Read(**store);
    if (!read.ok()) return Outcome::kAtRead;
    if (!(*store)->VerifyChecksums().ok() || !(*journal)->Verify().ok()) return Outcome::kAtCheck;
    return *read == contents_ ? Outcome::kHarmless : Outcome::kSilent;
  }
  static std::vector<fs::path> FilesOfKind(const std::string& folder, const std::string& kind) {
    std::vector<fs::path> found;
    for (const auto& file : fs::recursive_directory_iterator(folder)) {
      if (file.is_regular_file() && file.file_size() > 0 &&
          file.path().filename().string().find(kind) != std::string::npos)
        found.push_back(file.path());
    }
    return found;
  }
  static void FlipBit(const fs::path& path, std::uint64_t bit) {
    std::fstream file(path, std::ios::binary | std::ios::in | std::ios::out);
    file.seekg(static_cast<std::streamoff>(bit / 8));
    const char byte = static_cast<char>(file.get() ^ (1 << (bit % 8)));
    file.seekp(static_cast<std::streamoff>(bit / 8));
    file.put(byte);
  }

  emend::test::TemporaryFolder folder_;
  PosixFileSystem files_;
  SystemClock clock_;
  Contents contents_;
};

TEST_P(BitRotTest, AFlippedBitIsNoticedOrHarmless) {
  const auto seed = std::random_device{}();
  SCOPED_TRACE("seed " + std::to_string(seed));
  std::mt19937_64 random(seed);
  const std::string original = folder_.path() + "/original";
  fs::create_directory(original);
  MakeStore(original);
  ASSERT_FALSE(HasFatalFailure());
  const std::string copy = folder_.path() + "/copy";
  std::map<Outcome, int> outcomes;
  for (int flip = 0; flip < 60; ++flip) {
    fs::remove_all(copy);
    fs::copy(original, copy, fs::copy_options::recursive);
    const auto candidates = FilesOfKind(copy, GetParam());
    ASSERT_FALSE(candidates.empty());
    const fs::path& victim = candidates[random() % candidates.size()];
    const std::uint64_t bit = random() % (8 * fs::file_size(victim));
    FlipBit(victim, bit);
    const Outcome outcome = Judge(copy);
    ++outcomes[outcome];
    EXPECT_NE(outcome, Outcome::kSilent) << victim << " bit " << bit;
  }
  for (const auto& [outcome, count] : outcomes)
    RecordProperty("outcome" + std::to_string(static_cast<int>(outcome)), count);
  std::cout << GetParam() << ": at open " << outcomes[Outcome::kAtOpen] << ", by the anchor "
            << outcomes[Outcome::kAtAnchor] << ", when read " << outcomes[Outcome::kAtRead]
            << ", by the check " << outcomes[Outcome::kAtCheck] << ", harmless "
            << outcomes[Outcome::kHarmless] << "\n";
}

// Where the records of a RocksDB log begin: 32 KiB blocks of records with a head of 7 bytes (4
// checksum, 2 length, 1 type), none across a block's end.
std::vector<std::uint64_t> LogRecords(const fs::path& path) {
  constexpr std::uint64_t kBlock = 32768;
  constexpr std::uint64_t kHead = 7;
  std::ifstream file(path, std::ios::binary);
  const std::string bytes(std::istreambuf_iterator<char>(file), {});
  std::vector<std::uint64_t> records;
  for (std::uint64_t at = 0; at + kHead <= bytes.size();) {
    if (kBlock - at % kBlock < kHead) {
      at += kBlock - at % kBlock;
      continue;
    }
    const std::uint64_t length =
        static_cast<std::uint8_t>(bytes[at + 4]) |
        static_cast<std::uint64_t>(static_cast<std::uint8_t>(bytes[at + 5])) << 8;
    if (length == 0) break;
    records.push_back(at);
    at += kHead + length;
  }
  return records;
}

using LogTailRotTest = BitRotTest;

// A length that grew makes the rest of the log look like a cleanly torn tail, which RocksDB drops
// without a word: this is what the anchor is for.
TEST_P(LogTailRotTest, AFlippedBitInTheHeadOfALateLogRecordIsNoticed) {
  const std::string original = folder_.path() + "/original";
  fs::create_directory(original);
  MakeStore(original);
  ASSERT_FALSE(HasFatalFailure());
  const std::string copy = folder_.path() + "/copy";
  const auto logs = FilesOfKind(original, GetParam());
  ASSERT_EQ(logs.size(), 1U);
  const auto records = LogRecords(logs.front());
  ASSERT_GT(records.size(), 20U);
  std::map<Outcome, int> outcomes;
  for (std::size_t i = records.size() - 5; i < records.size(); ++i) {
    for (std::uint64_t bit = 8 * (records[i] + 4); bit < 8 * (records[i] + 7); ++bit) {
      fs::remove_all(copy);
      fs::copy(original, copy, fs::copy_options::recursive);
      FlipBit(FilesOfKind(copy, GetParam()).front(), bit);
      const Outcome outcome = Judge(copy);
      ++outcomes[outcome];
      EXPECT_TRUE(outcome == Outcome::kAtOpen || outcome == Outcome::kAtAnchor)
          << "record " << i << " of " << records.size() << " bit " << bit;
    }
  }
  EXPECT_GT(outcomes[Outcome::kAtAnchor], 0);
  std::cout << "log heads: at open " << outcomes[Outcome::kAtOpen] << ", by the anchor "
            << outcomes[Outcome::kAtAnchor] << "\n";
}

INSTANTIATE_TEST_SUITE_P(Files, LogTailRotTest, ::testing::Values(".log"),
                         [](const auto&) { return "log"; });

INSTANTIATE_TEST_SUITE_P(Files, BitRotTest,
                         ::testing::Values(".log", ".sst", ".blob", "MANIFEST-", "CURRENT",
                                           "anchor"),
                         [](const auto& kind) {
                           std::string name = kind.param;
                           std::erase_if(name, [](char c) { return c == '.' || c == '-'; });
                           return name;
                         });

}  // namespace
}  // namespace emend::storage::records::bit_rot_test
