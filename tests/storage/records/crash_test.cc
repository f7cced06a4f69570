// kill -9 of a process that commits, at random moments and at every failpoint: what it acknowledged
// is there after a restart.
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <random>
#include <sstream>
#include <thread>

#include "storage/base/clock.h"
#include "storage/base/file_system.h"
#include "storage/kv/kv_store.h"
#include "storage/records/journal.h"
#include "tests/support/status_matchers.h"
#include "tests/support/temporary_folder.h"

namespace emend::storage::records::crash_test {
namespace {

using ::emend::test::IsOk;
using ::emend::test::IsOkAndHolds;
using ::testing::Optional;

// A run of the writer in a process of its own.
class Writer {
 public:
  Writer(const std::string& folder, const std::string& failpoint) {
    int ends[2];
    EMEND_CHECK(pipe2(ends, O_CLOEXEC) == 0, "no pipe could be made");
    read_end_ = ends[0];
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, ends[1], STDOUT_FILENO);
    std::string program = EMEND_JOURNAL_WRITER;
    std::string argument = folder;
    std::string variable = "EMEND_FAILPOINT=" + failpoint;
    char* arguments[] = {program.data(), argument.data(), nullptr};
    char* environment[] = {variable.data(), nullptr};
    EMEND_CHECK(posix_spawn(&pid_, program.c_str(), &actions, nullptr, arguments, environment) == 0,
                "the writer could not be started: " + program);
    posix_spawn_file_actions_destroy(&actions);
    close(ends[1]);
  }
  ~Writer() { close(read_end_); }
  Writer(const Writer&) = delete;
  Writer& operator=(const Writer&) = delete;

  // Returns once the writer has acknowledged something, or ended.
  void AwaitFirst() { ReadSome(); }
  void Kill() { kill(pid_, SIGKILL); }
  // Waits for the end; true if it was a kill.
  bool EndedByKill() {
    while (ReadSome()) {
    }
    int status = 0;
    waitpid(pid_, &status, 0);
    return WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL;
  }
  // The last number that was acknowledged; 0 if none was.
  std::uint64_t acknowledged() const {
    std::istringstream lines(output_.substr(0, output_.rfind('\n') + 1));
    std::uint64_t last = 0;
    for (std::uint64_t number = 0; lines >> number;) last = number;
    return last;
  }

 private:
  bool ReadSome() {
    char buffer[4096];
    const ssize_t got = read(read_end_, buffer, sizeof buffer);
    if (got > 0) output_.append(buffer, static_cast<std::size_t>(got));
    return got > 0;
  }

  int read_end_ = -1;
  pid_t pid_ = -1;
  std::string output_;
};

class CrashTest : public ::testing::Test {
 protected:
  // Opens what the writer left behind: `acknowledged` commits are whole, one more may be, none
  // after that, and the chain verifies.
  void ExpectWhole(std::uint64_t acknowledged) {
    ASSERT_OK_AND_ASSIGN(const auto store, kv::OpenRocksKv({.path = folder_.path() + "/db"}));
    ASSERT_OK_AND_ASSIGN(const auto journal,
                         Journal::Open(*store, files_, clock_, folder_.path() + "/anchor"));
    EXPECT_GE(journal->head(), std::max(acknowledged, head_));
    EXPECT_LE(journal->head(), std::max(acknowledged, head_) + 1);
    EXPECT_THAT(journal->Verify(), IsOk());
    for (std::uint64_t number = 1; number <= journal->head(); ++number) {
      const std::string key = std::to_string(number);
      ASSERT_THAT(store->Get(kv::ColumnFamily::kMeta, key), IsOkAndHolds(Optional(key)));
      const std::string payload(number * 7919 % 9000, static_cast<char>('a' + number % 26));
      ASSERT_THAT(store->Get(kv::ColumnFamily::kPayload, key), IsOkAndHolds(Optional(payload)));
    }
    head_ = journal->head();
  }

  emend::test::TemporaryFolder folder_;
  PosixFileSystem files_;
  SystemClock clock_;
  std::uint64_t head_ = 0;  // found by the last ExpectWhole
};

TEST_F(CrashTest, AcknowledgedCommitsSurviveAKillAtAnyMoment) {
  const auto seed = std::random_device{}();
  SCOPED_TRACE("seed " + std::to_string(seed));
  std::mt19937 random(seed);
  for (int cycle = 0; cycle < 30; ++cycle) {
    Writer writer(folder_.path(), "");
    if (cycle % 3 != 0) writer.AwaitFirst();  // every third one may die while it opens the store
    std::this_thread::sleep_for(std::chrono::milliseconds(random() % 80));
    writer.Kill();
    ASSERT_TRUE(writer.EndedByKill());
    ExpectWhole(writer.acknowledged());
    if (HasFatalFailure()) FAIL() << "cycle " << cycle;
  }
  EXPECT_GT(head_, 30U);
}

class FailpointCrashTest : public CrashTest, public ::testing::WithParamInterface<std::string> {};

TEST_P(FailpointCrashTest, AcknowledgedCommitsSurviveAnAbortThere) {
  for (const int nth : {1, 2, 5}) {
    Writer writer(folder_.path(), GetParam() + ":" + std::to_string(nth) + ":abort");
    ASSERT_TRUE(writer.EndedByKill());
    EXPECT_EQ(writer.acknowledged(), nth == 1 ? 0 : head_ + static_cast<std::uint64_t>(nth) - 1);
    const std::uint64_t before = head_ + static_cast<std::uint64_t>(nth) - 1;
    ExpectWhole(writer.acknowledged());
    EXPECT_EQ(head_, GetParam() == "journal.before_batch" ? before : before + 1);
  }
}

INSTANTIATE_TEST_SUITE_P(Journal, FailpointCrashTest,
                         ::testing::Values("journal.before_batch", "journal.after_batch",
                                           "journal.after_anchor"),
                         [](const auto& name) {
                           return name.param.substr(name.param.find('.') + 1);
                         });

}  // namespace
}  // namespace emend::storage::records::crash_test
