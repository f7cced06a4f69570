#include "storage/history/repository.h"

#include "storage/base/failpoint.h"
#include "tests/storage/history/history_fixture.h"

namespace emend::storage::history::repository_test {
namespace {

using emend::test::IsOk;
using emend::test::IsOkAndHolds;
using emend::test::StatusIs;
using test::Ids;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

class RepositoryTest : public test::HistoryTest {
 protected:
  std::vector<std::string> Acts() {
    std::vector<std::string> acts;
    Must(journal_->Read(1, [&](const records::AuditEntry& entry) {
      acts.push_back(entry.act.act);
      return true;
    }));
    return acts;
  }
};

TEST_F(RepositoryTest, ANewRepoHasAnImportCommitOnMain) {
  const objects::Commit import = Must(repo().ReadCommit(Head()));
  EXPECT_EQ(Head(), import_);
  EXPECT_EQ(import.kind, objects::CommitKind::kImport);
  EXPECT_THAT(import.parents, IsEmpty());
  EXPECT_EQ(import.author, "ada");
  EXPECT_EQ(import.token_id, "tk-1");
  EXPECT_EQ(import.time_ms, clock_.now_ms);
  EXPECT_EQ(import.message, "import atlas");
  EXPECT_THAT(Active(import_), IsEmpty());
  EXPECT_THAT(repo().objects().ReadManifest(import.state),
              IsOkAndHolds(objects::Manifest{import.state, {}}));
  EXPECT_THAT(Acts(), ElementsAre("repo.create", "ref.create"));
}

TEST_F(RepositoryTest, ATakenNameIsRefused) {
  const auto created = journal_->Commit(principal_, [&](records::Transaction& transaction) {
    return Repository::Create(transaction, RecordNamed("atlas", 'x'), "again").status();
  });
  EXPECT_THAT(created, StatusIs(StatusCode::kAlreadyExists));
  EXPECT_THAT(created.status().message(), HasSubstr("atlas"));
  const auto same_id = journal_->Commit(principal_, [&](records::Transaction& transaction) {
    return Repository::Create(transaction, RecordNamed("globe", 'r'), "another").status();
  });
  EXPECT_THAT(same_id, StatusIs(StatusCode::kAlreadyExists));
}

TEST_F(RepositoryTest, AWrongRecordIsRefused) {
  for (const auto& spoil : std::vector<std::function<void(RepoRecord&)>>{
           [](RepoRecord& r) { r.name = RepoName("Not A Name"); },
           [](RepoRecord& r) { r.id = objects::RepoId("short"); },
           [](RepoRecord& r) { r.base = BaseId(); },
           [](RepoRecord& r) { r.base_encoded.pop_back(); }}) {
    RepoRecord record = RecordNamed("globe", 'g');
    spoil(record);
    const auto created = journal_->Commit(principal_, [&](records::Transaction& transaction) {
      return Repository::Create(transaction, record, "wrong").status();
    });
    EXPECT_THAT(created, StatusIs(StatusCode::kInvalidArgument));
  }
}

TEST_F(RepositoryTest, AMissingRepoIsNamedWithThoseThereAre) {
  CreateRepo("globe", 'g');
  const auto opened = Repository::Open(*store_, RepoName("mars"));
  EXPECT_THAT(opened, StatusIs(StatusCode::kNotFound));
  EXPECT_THAT(opened.status().message(), HasSubstr("mars"));
  EXPECT_THAT(opened.status().message(), HasSubstr("atlas, globe"));
  EXPECT_THAT(Repository::List(*store_), IsOkAndHolds(SizeIs(2)));
}

TEST_F(RepositoryTest, ReposDoNotSeeEachOther) {
  const CommitId commit = Commit("main", StoreEdits(0, 3));
  CreateRepo("globe", 'g');
  const Repository globe = Must(Repository::Open(*store_, RepoName("globe")));
  EXPECT_THAT(globe.ReadCommit(commit), StatusIs(StatusCode::kNotFound));
  EXPECT_THAT(globe.Resolve(commit.Hex()), StatusIs(StatusCode::kNotFound));
  EXPECT_THAT(globe.ListRefs(), IsOkAndHolds(SizeIs(1)));
}

TEST_F(RepositoryTest, ACommitMovesItsBranchAndNoOther) {
  Branch("dev", import_);
  const Ids edits = StoreEdits(0, 40);
  const CommitId commit = Commit("dev", edits);
  EXPECT_EQ(Head("dev"), commit);
  EXPECT_EQ(Head("main"), import_);
  EXPECT_EQ(Active(commit), edits);
  EXPECT_THAT(Acts().back(), "commit.create");
}

TEST_F(RepositoryTest, TheSameSetIsTheSameStateWhateverTheHistory) {
  const Ids edits = StoreEdits(0, 40);
  Branch("dev", import_);
  const CommitId at_once = Commit("main", edits);
  Commit("dev", Ids(edits.begin() + 10, edits.end()));
  const CommitId in_steps = Commit("dev", Ids(edits.begin(), edits.begin() + 10));
  EXPECT_EQ(Must(repo().ReadCommit(at_once)).state, Must(repo().ReadCommit(in_steps)).state);
  EXPECT_EQ(Must(repo().ReadCommit(Commit("main", {}, edits))).state,
            Must(repo().ReadCommit(import_)).state);
}

TEST_F(RepositoryTest, DiffIsBetweenAnyTwoStates) {
  const Ids edits = StoreEdits(0, 2);
  const CommitId first = Commit("main", {edits[0]});
  const CommitId second = Commit("main", {edits[1]}, {edits[0]});
  const auto diff = Must(
      repo().Diff(Must(repo().ReadCommit(first)).state, Must(repo().ReadCommit(second)).state));
  EXPECT_THAT(diff.added, ElementsAre(edits[1]));
  EXPECT_THAT(diff.removed, ElementsAre(edits[0]));
}

TEST_F(RepositoryTest, ALostCompareAndSwapNamesTheHeadThatWasFound) {
  const CommitId first = Commit("main", StoreEdits(0, 1));
  const auto late = TryCommit("main", import_, {import_}, StoreEdits(5, 1), {});
  EXPECT_THAT(late, StatusIs(StatusCode::kConflict, "stale_head"));
  EXPECT_THAT(late.status().message(), HasSubstr(first.Hex()));
  EXPECT_EQ(Head(), first);
  EXPECT_THAT(Move(RefKind::kBranch, "main", import_, import_),
              StatusIs(StatusCode::kConflict, "stale_head"));
  EXPECT_THAT(Move(RefKind::kBranch, "main", first, CommitId()),
              StatusIs(StatusCode::kAlreadyExists));
}

TEST_F(RepositoryTest, AMissingBranchIsNotFound) {
  EXPECT_THAT(TryCommit("dev", import_, {import_}, StoreEdits(0, 1), {}),
              StatusIs(StatusCode::kNotFound));
  EXPECT_THAT(Move(RefKind::kBranch, "dev", import_, import_), StatusIs(StatusCode::kNotFound));
  EXPECT_THAT(repo().ReadRef(RefKind::kBranch, "dev"), StatusIs(StatusCode::kNotFound));
  EXPECT_THAT(repo().ReadRef(RefKind::kTag, "main"), StatusIs(StatusCode::kNotFound));
}

TEST_F(RepositoryTest, ACommitThatIsNotWholeIsRefused) {
  const auto advance =
      [&](const std::function<void(records::Transaction&, objects::Commit&)>& spoil) {
        return journal_->Commit(principal_, [&](records::Transaction& transaction) {
          objects::Commit commit =
              MakeCommit(transaction.batch(), {import_}, {PutEdit(transaction.batch(), 0)}, {});
          spoil(transaction, commit);
          return repo().Advance(transaction, "main", import_, commit).status();
        });
      };
  EXPECT_THAT(advance([](auto&, auto& commit) { commit.state = StateId(); }),
              StatusIs(StatusCode::kNotFound));
  EXPECT_THAT(
      advance([](auto&, auto& commit) { commit.parents.push_back(CommitId(Sha256("nowhere"))); }),
      StatusIs(StatusCode::kNotFound));
  EXPECT_THAT(advance([](auto&, auto& commit) { commit.added.clear(); }),
              StatusIs(StatusCode::kInvalidArgument));
  EXPECT_THAT(advance([](auto&, auto& commit) { commit.base = BaseId(); }),
              StatusIs(StatusCode::kInvalidArgument));
  EXPECT_THAT(advance([](auto&, auto& commit) { commit.parents.clear(); }),
              StatusIs(StatusCode::kInvalidArgument));
  const EditId unknown(Sha256("unknown edit"));
  EXPECT_THAT(advance([&](auto& transaction, auto& commit) {
                commit = MakeCommit(transaction.batch(), {import_}, {unknown}, {});
              }),
              StatusIs(StatusCode::kNotFound));
  const Repository atlas = repo();
  EXPECT_THAT(advance([&](auto& transaction, auto& commit) {
                commit.added = {PutEdit(transaction.batch(), 1)};
                commit.state = Must(atlas.DeriveState(
                    transaction.batch(), Must(atlas.ReadCommit(import_)).state, commit.added, {}));
              }),
              StatusIs(StatusCode::kNotFound));  // no manifest
  EXPECT_EQ(Head(), import_);
}

TEST_F(RepositoryTest, ChainedCommitsFitIntoOneTransaction) {
  std::vector<CommitId> ids;
  Must(journal_->Commit(principal_, [&](records::Transaction& transaction) -> Status {
    CommitId head = import_;
    StateId state = Must(repo().ReadCommit(import_)).state;
    for (int i = 0; i < 3; ++i) {
      objects::Commit commit;
      commit.parents = {head};
      commit.base = repo().record().base;
      commit.added = {PutEdit(transaction.batch(), i)};
      EMEND_ASSIGN_OR_RETURN(state,
                             repo().DeriveState(transaction.batch(), state, commit.added, {}));
      commit.state = state;
      repo().objects().PutManifest(transaction.batch(), {state, {}});
      EMEND_ASSIGN_OR_RETURN(head, repo().Advance(transaction, "main", head, commit));
      ids.push_back(head);
    }
    return OkStatus();
  }));
  EXPECT_EQ(Head(), ids[2]);
  EXPECT_THAT(Active(Head()), SizeIs(3));
  const auto reflog = Must(repo().Reflog("main", 10));
  ASSERT_THAT(reflog, SizeIs(4));
  EXPECT_EQ(reflog[0].from, ids[1]);
  EXPECT_EQ(reflog[2].from, import_);
}

TEST_F(RepositoryTest, TheReflogTellsEveryMoveNewestFirst) {
  const CommitId first = Commit("main", StoreEdits(0, 1));
  clock_.now_ms += 1000;
  Must(Move(RefKind::kBranch, "main", import_, first, "reset: to the start\nwith a second line"));
  const auto reflog = Must(repo().Reflog("main", 10));
  ASSERT_THAT(reflog, SizeIs(3));
  EXPECT_EQ(reflog[0].index, 2u);
  EXPECT_EQ(reflog[0].from, first);
  EXPECT_EQ(reflog[0].to, import_);
  EXPECT_EQ(reflog[0].principal, "ada");
  EXPECT_EQ(reflog[0].time_ms, clock_.now_ms);
  EXPECT_EQ(reflog[0].reason, "reset: to the start");
  EXPECT_EQ(reflog[1].reason, "commit: change");
  EXPECT_EQ(reflog[2].index, 0u);
  EXPECT_TRUE(reflog[2].from.IsZero());
  EXPECT_EQ(reflog[2].reason, "import: import atlas");
  EXPECT_THAT(repo().Reflog("main", 2), IsOkAndHolds(SizeIs(2)));
}

TEST_F(RepositoryTest, TheReflogOutlivesItsBranch) {
  Branch("dev", import_);
  Must(Move(RefKind::kBranch, "dev", CommitId(), import_, "delete"));
  EXPECT_THAT(repo().ReadRef(RefKind::kBranch, "dev"), StatusIs(StatusCode::kNotFound));
  Branch("dev", import_);
  const auto reflog = Must(repo().Reflog("dev", 10));
  ASSERT_THAT(reflog, SizeIs(3));
  EXPECT_EQ(reflog[0].index, 2u);
  EXPECT_TRUE(reflog[1].to.IsZero());
}

TEST_F(RepositoryTest, TagsAreCreatedOnceMovedOnPurposeAndDeleted) {
  const CommitId first = Commit("main", StoreEdits(0, 1));
  Tag("v1", import_);
  const Status again = Move(RefKind::kTag, "v1", first, CommitId());
  EXPECT_THAT(again, StatusIs(StatusCode::kAlreadyExists));
  EXPECT_NE(again.message().find("delete it first (emend tag atlas -d v1)"), std::string::npos);
  EXPECT_THAT(Move(RefKind::kTag, "v1", first, import_), IsOk());
  EXPECT_EQ(Must(repo().ReadRef(RefKind::kTag, "v1")).commit, first);
  EXPECT_THAT(Move(RefKind::kTag, "v1", CommitId(), first), IsOk());
  EXPECT_THAT(repo().ReadRef(RefKind::kTag, "v1"), StatusIs(StatusCode::kNotFound));
  EXPECT_THAT(Move(RefKind::kTag, "v1", CommitId(), first), StatusIs(StatusCode::kNotFound));
}

TEST_F(RepositoryTest, TheDefaultBranchIsNotDeleted) {
  EXPECT_THAT(Move(RefKind::kBranch, "main", CommitId(), import_),
              StatusIs(StatusCode::kFailedPrecondition, "default_branch"));
  EXPECT_EQ(Head(), import_);
}

TEST_F(RepositoryTest, ABranchAndATagNeverShareAName) {
  Must(Move(RefKind::kTag, "v1", import_, CommitId()));
  EXPECT_THAT(Move(RefKind::kBranch, "v1", import_, CommitId()),
              StatusIs(StatusCode::kAlreadyExists));
  EXPECT_THAT(Move(RefKind::kTag, "main", import_, CommitId()),
              StatusIs(StatusCode::kAlreadyExists));
}

TEST_F(RepositoryTest, ABranchThatNeverWasHasNoReflog) {
  EXPECT_THAT(repo().Reflog("nope", 10), StatusIs(StatusCode::kNotFound));
}

TEST_F(RepositoryTest, RefsAreListedBranchesFirstByName) {
  Tag("a", import_);
  Branch("dev", import_);
  std::vector<std::string> names;
  for (const Ref& ref : Must(repo().ListRefs())) names.push_back(ref.name);
  EXPECT_THAT(names, ElementsAre("dev", "main", "a"));
}

TEST_F(RepositoryTest, ARefToNothingOrWithAWrongNameIsRefused) {
  EXPECT_THAT(Move(RefKind::kBranch, "dev", CommitId(Sha256("nowhere")), CommitId()),
              StatusIs(StatusCode::kNotFound));
  EXPECT_THAT(Move(RefKind::kBranch, "a..b", import_, CommitId()),
              StatusIs(StatusCode::kInvalidArgument));
  EXPECT_THAT(Move(RefKind::kBranch, "dev", CommitId(), CommitId()),
              StatusIs(StatusCode::kInvalidArgument));
}

TEST_F(RepositoryTest, AFailureBeforeTheWriteLeavesTheOldHead) {
  const Ids edits = StoreEdits(0, 2);
  ASSERT_THAT(ArmFailpoints("history.advance:1:error"), IsOk());
  const auto failed = TryCommit("main", import_, {import_}, edits, {});
  ASSERT_THAT(ArmFailpoints(""), IsOk());
  EXPECT_THAT(failed, StatusIs(StatusCode::kInternal, "failpoint"));
  EXPECT_EQ(Head(), import_);
  EXPECT_THAT(repo().Reflog("main", 10), IsOkAndHolds(SizeIs(1)));
  EXPECT_THAT(Acts(), ElementsAre("repo.create", "ref.create"));
  EXPECT_EQ(Head(), import_);
  Commit("main", edits);
  EXPECT_EQ(Active(Head()), edits);
}

TEST_F(RepositoryTest, AnUnsyncedCommitIsWhollyThereOrWhollyGoneAfterAPowerCut) {
  const CommitId first = Commit("main", StoreEdits(0, 2));
  StoreEdits(10, 5);  // payloads ahead of a commit that never comes
  store_->LoseUnsynced();
  EXPECT_EQ(Head(), first);
  for (const EditId& id : Active(first)) EXPECT_THAT(repo().objects().ReadEdit(id), IsOk());
}

}  // namespace
}  // namespace emend::storage::history::repository_test
