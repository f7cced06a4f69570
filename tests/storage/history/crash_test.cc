// A process that dies in the middle of a commit, on a real disk: the branch is at the old head or
// at the new one, and the store is whole. The child is forked before this process opens a store, as
// long as each test has a process of its own, which ctest sees to.
#include <signal.h>

#include "storage/base/failpoint.h"
#include "storage/history/fsck.h"
#include "tests/storage/objects/sample_records.h"
#include "tests/support/status_matchers.h"
#include "tests/support/temporary_folder.h"

namespace emend::storage::history::crash_test {
namespace {

using ::testing::IsEmpty;

template <typename T>
T Must(Result<T> result) {
  EMEND_CHECK(result.ok(), result.status().ToString());
  return std::move(result).value();
}

// An opened store with the repo "atlas".
struct Opened {
  explicit Opened(const std::string& folder)
      : store(Must(kv::OpenRocksKv({.path = folder + "/db"}))),
        journal(Must(records::Journal::Open(*store, files, clock, folder + "/anchor"))) {}

  Repository repo() { return Must(Repository::Open(*store, RepoName("atlas"))); }
  CommitId head() { return Must(repo().ReadRef(RefKind::kBranch, "main")).commit; }

  void CreateRepo() {
    const objects::Base base = objects::test::SampleBase();
    const RepoRecord record{RepoName("atlas"),
                            objects::RepoId(std::string(16, 'r')),
                            objects::IdOf(base),
                            objects::EncodeBase(base),
                            {},
                            0};
    Must(journal->Commit(principal, [&](records::Transaction& transaction) {
      return Repository::Create(transaction, record, "import").status();
    }));
  }
  void CommitNothing() {
    const Repository atlas = repo();
    objects::Commit commit = Must(atlas.ReadCommit(head()));
    commit.parents = {head()};
    Must(journal->Commit(principal, [&](records::Transaction& transaction) {
      return atlas.Advance(transaction, "main", head(), commit).status();
    }));
  }

  PosixFileSystem files;
  SystemClock clock;
  records::Principal principal{"ada", ""};
  std::unique_ptr<kv::KvStore> store;
  std::unique_ptr<records::Journal> journal;
};

class CrashTest : public ::testing::TestWithParam<std::pair<std::string, bool>> {};

TEST_P(CrashTest, LeavesTheOldHeadOrTheNewOneAndAWholeStore) {
  const auto& [failpoint, is_new_head_expected] = GetParam();
  const emend::test::TemporaryFolder folder;
  const auto die = [&, name = failpoint] {
    Opened opened(folder.path());
    opened.CreateRepo();
    EMEND_CHECK(ArmFailpoints(name + ":1:abort").ok(), "the failpoint could not be armed");
    opened.CommitNothing();
  };
  ASSERT_EXIT(die(), ::testing::KilledBySignal(SIGKILL), "");
  Opened opened(folder.path());
  EXPECT_EQ(Must(opened.repo().Log(opened.head(), 10)).size(), is_new_head_expected ? 2u : 1u);
  EXPECT_THAT(Fsck(*opened.store, *opened.journal).problems, IsEmpty());
  opened.CommitNothing();
  EXPECT_EQ(Must(opened.repo().Log(opened.head(), 10)).size(), is_new_head_expected ? 3u : 2u);
}

INSTANTIATE_TEST_SUITE_P(Failpoints, CrashTest,
                         ::testing::Values(std::pair("history.advance", false),
                                           std::pair("journal.before_batch", false),
                                           std::pair("journal.after_batch", true),
                                           std::pair("journal.after_anchor", true)));

}  // namespace
}  // namespace emend::storage::history::crash_test
