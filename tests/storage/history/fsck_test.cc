#include "storage/history/fsck.h"

#include <functional>

#include "storage/history/ref_records.h"
#include "storage/objects/keys.h"
#include "storage/records/operations.h"
#include "tests/storage/history/history_fixture.h"

namespace emend::storage::history::fsck_test {
namespace {

using kv::ColumnFamily;
using objects::ObjectKind;
using test::Ids;
using ::testing::AllOf;
using ::testing::Contains;
using ::testing::Field;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::StartsWith;

// A store in which something happens each time after refs were scanned, before reflogs are.
class InterruptedKv final : public kv::KvStore {
 public:
  InterruptedKv(kv::KvStore& store, std::function<void()> meanwhile)
      : store_(store), meanwhile_(std::move(meanwhile)) {}

  Result<std::optional<std::string>> Get(ColumnFamily family, std::string_view key) override {
    return store_.Get(family, key);
  }
  Status Scan(ColumnFamily family, std::string_view prefix, std::string_view start,
              const kv::ScanVisitor& visit) override {
    const Status scanned = store_.Scan(family, prefix, start, visit);
    if (family == ColumnFamily::kRefs) meanwhile_();
    return scanned;
  }
  Status Write(const kv::WriteBatch& batch, kv::Durability durability) override {
    return store_.Write(batch, durability);
  }
  Status VerifyChecksums() override { return store_.VerifyChecksums(); }

 private:
  kv::KvStore& store_;
  const std::function<void()> meanwhile_;
};

class FsckTest : public test::HistoryTest {
 protected:
  FsckTest() {
    edits_ = StoreEdits(0, 40);
    first_ = Commit("main", Ids(edits_.begin(), edits_.begin() + 20));
    head_ = Commit("main", Ids(edits_.begin() + 20, edits_.end()));
    Tag("v1", first_);
    state_ = Must(repo().ReadCommit(head_)).state;
  }

  std::string KeyOf(ObjectKind kind, std::string_view raw_id) {
    return objects::ObjectKey(repo().record().id, kind, raw_id);
  }
  void Put(ColumnFamily family, const std::string& key, const std::string& value) {
    kv::WriteBatch batch;
    batch.Put(family, key, value);
    Must(store_->Write(batch, kv::Durability::kSynced));
  }
  void Delete(ColumnFamily family, const std::string& key) {
    kv::WriteBatch batch;
    batch.Delete(family, key);
    Must(store_->Write(batch, kv::Durability::kSynced));
  }
  std::string Stored(ColumnFamily family, const std::string& key) {
    return Must(store_->Get(family, key)).value();
  }
  std::vector<Problem> Problems() { return Fsck(*store_, *journal_).problems; }

  // Flips each of some bytes of a stored value in turn; every flip must be told at `where`.
  void ExpectFlipsAreFound(ColumnFamily family, const std::string& key, const std::string& where) {
    const std::string stored = Stored(family, key);
    for (std::size_t at = 0; at < stored.size(); at += 1 + stored.size() / 16) {
      std::string bytes = stored;
      bytes[at] ^= 0x10;
      Put(family, key, bytes);
      EXPECT_THAT(Problems(), Contains(Field(&Problem::where, HasSubstr(where))))
          << "byte " << at << " of " << stored.size();
    }
    Put(family, key, stored);
    EXPECT_THAT(Problems(), IsEmpty());
  }
  void ExpectFlipsAreFound(ObjectKind kind, std::string_view raw_id, const std::string& where) {
    ExpectFlipsAreFound(objects::FamilyOf(kind), KeyOf(kind, raw_id), where);
  }

  Ids edits_;
  CommitId first_;
  CommitId head_;
  StateId state_;
};

TEST_F(FsckTest, WhatMovesMeanwhileIsNoProblem) {
  InterruptedKv store(*store_, [this] {
    Commit("main", {StoreEdit(50)});
    Branch("new", first_);
  });
  EXPECT_THAT(Fsck(store, *journal_).problems, IsEmpty());
}

TEST_F(FsckTest, ARefThatIsWrongIsFoundThoughAnotherMoves) {
  Put(ColumnFamily::kRefs, RefKey(repo().record().id, RefKind::kBranch, "main"),
      EncodeRef({RefKind::kBranch, "main", first_}));
  InterruptedKv store(*store_, [this] { Branch("new", first_); });
  EXPECT_THAT(Fsck(store, *journal_).problems,
              Contains(Field(&Problem::what, HasSubstr("the branch is at " + first_.Hex()))));
}

TEST_F(FsckTest, AWholeStoreHasNoProblemAndIsCounted) {
  int calls = 0;
  const FsckReport report = Fsck(*store_, *journal_, [&](const FsckReport&) { ++calls; });
  EXPECT_THAT(report.problems, IsEmpty());
  EXPECT_EQ(report.commits, 3u);
  EXPECT_EQ(report.edits, 40u);
  EXPECT_GT(report.payload_bytes, 40u * 2 * 30);
  EXPECT_GE(calls, 43);
}

// A store of which some reads fail, as where a file is gone or a disk does not answer.
class UnreadableKv final : public kv::KvStore {
 public:
  UnreadableKv(kv::KvStore& store, ColumnFamily family, StatusCode code)
      : store_(store), family_(family), code_(code) {}
  Result<std::optional<std::string>> Get(ColumnFamily family, std::string_view key) override {
    if (family == family_) return Fault();
    return store_.Get(family, key);
  }
  Status Scan(ColumnFamily family, std::string_view prefix, std::string_view start,
              const kv::ScanVisitor& visit) override {
    return family == family_ ? Fault() : store_.Scan(family, prefix, start, visit);
  }
  Status Write(const kv::WriteBatch& batch, kv::Durability durability) override {
    return store_.Write(batch, durability);
  }
  Status VerifyChecksums() override { return store_.VerifyChecksums(); }

 private:
  Status Fault() const { return {code_, "the test lets this read fail"}; }
  kv::KvStore& store_;
  const ColumnFamily family_;
  const StatusCode code_;
};

TEST_F(FsckTest, WhatCannotBeReadIsListedAndTheCheckGoesOn) {
  for (const StatusCode code : {StatusCode::kUnavailable, StatusCode::kDataLoss}) {
    for (const ColumnFamily family :
         {ColumnFamily::kPayload, ColumnFamily::kReflog, ColumnFamily::kRefs}) {
      UnreadableKv store(*store_, family, code);
      const FsckReport report = Fsck(store, *journal_);
      EXPECT_THAT(report.problems,
                  Contains(Field(&Problem::what, HasSubstr("the test lets this read fail"))));
      EXPECT_THAT(report.repos, ::testing::ElementsAre(RepoName("atlas")));
      if (family == ColumnFamily::kPayload) {
        EXPECT_EQ(report.edits, 40u);
        EXPECT_EQ(report.problems.size(), 120u) << "each edit's columns, keys and target";
      }
    }
  }
}

TEST_F(FsckTest, AChangedCommitIsFound) {
  ExpectFlipsAreFound(ObjectKind::kCommit, head_.Raw(), "repo atlas, commit " + head_.Short());
  ExpectFlipsAreFound(ObjectKind::kCommit, import_.Raw(), "repo atlas, commit " + import_.Short());
}

TEST_F(FsckTest, AChangedStateIsFound) {
  ExpectFlipsAreFound(ObjectKind::kState, state_.Raw(), "state " + state_.Short());
}

TEST_F(FsckTest, AChangedManifestIsFound) {
  ExpectFlipsAreFound(ObjectKind::kManifest, state_.Raw(),
                      "state " + state_.Short() + ", manifest");
}

TEST_F(FsckTest, AChangedTrieNodeIsFound) {
  const ObjectId root = Must(repo().objects().ReadState(state_)).trie_root;
  ExpectFlipsAreFound(ObjectKind::kObject, root.Raw(),
                      "state " + state_.Short() + ", trie node " + root.Short());
}

TEST_F(FsckTest, AChangedEditIsFound) {
  ExpectFlipsAreFound(ObjectKind::kEdit, edits_[3].Raw(), "edit " + edits_[3].Short());
}

TEST_F(FsckTest, AChangedPayloadIsFound) {
  const objects::Edit edit = Must(repo().objects().ReadEdit(edits_[3]));
  ExpectFlipsAreFound(ObjectKind::kPayload, edit.delta_object.Raw(),
                      "edit " + edits_[3].Short() + ", payload");
  ExpectFlipsAreFound(ObjectKind::kPayload, edit.keys_object.Raw(),
                      "edit " + edits_[3].Short() + ", keys");
  ExpectFlipsAreFound(ObjectKind::kPayload, edit.target_object.Raw(),
                      "edit " + edits_[3].Short() + ", target");
}

TEST_F(FsckTest, AMissingPayloadIsFound) {
  const objects::Edit edit = Must(repo().objects().ReadEdit(edits_[3]));
  Delete(ColumnFamily::kPayload, KeyOf(ObjectKind::kPayload, edit.delta_object.Raw()));
  const std::vector<Problem> problems = Problems();
  ASSERT_EQ(problems.size(), 1u);
  EXPECT_THAT(problems[0].where, AllOf(StartsWith("repo atlas, commit " + first_.Short()),
                                       HasSubstr("edit " + edits_[3].Short() + ", payload")));
  EXPECT_THAT(problems[0].what, HasSubstr(edit.delta_object.Hex()));
}

TEST_F(FsckTest, APayloadOfAnotherEditIsFound) {
  objects::Edit edit = Must(repo().objects().ReadEdit(edits_[3]));
  edit.delta_object = Must(repo().objects().ReadEdit(edits_[4])).delta_object;
  Put(ColumnFamily::kObjects, KeyOf(ObjectKind::kEdit, edits_[3].Raw()), objects::EncodeEdit(edit));
  EXPECT_THAT(Problems(), Contains(Field(&Problem::where,
                                         HasSubstr("edit " + edits_[3].Short() + ", payload"))));
}

TEST_F(FsckTest, AMissingManifestIsFound) {
  Delete(ColumnFamily::kObjects, KeyOf(ObjectKind::kManifest, state_.Raw()));
  EXPECT_THAT(Problems(), Contains(Field(&Problem::where,
                                         HasSubstr("state " + state_.Short() + ", manifest"))));
}

TEST_F(FsckTest, AMissingParentIsFoundAndWhatPointsToItIsNamed) {
  Delete(ColumnFamily::kCommits, KeyOf(ObjectKind::kCommit, import_.Raw()));
  EXPECT_THAT(Problems(),
              Contains(AllOf(Field(&Problem::where, "repo atlas, commit " + import_.Short()),
                             Field(&Problem::what, HasSubstr("reached from ")))));
}

TEST_F(FsckTest, AChangedRefIsFound) {
  const objects::RepoId id = repo().record().id;
  ExpectFlipsAreFound(ColumnFamily::kRefs, RefKey(id, RefKind::kBranch, "main"),
                      "repo atlas, branch main");
  ExpectFlipsAreFound(ColumnFamily::kRefs, RefKey(id, RefKind::kTag, "v1"), "repo atlas, tag v1");
}

TEST_F(FsckTest, ARefThatDisagreesWithItsReflogIsFound) {
  Put(ColumnFamily::kRefs, RefKey(repo().record().id, RefKind::kBranch, "main"),
      EncodeRef({RefKind::kBranch, "main", first_}));
  EXPECT_THAT(Problems(), Contains(Field(&Problem::where, "repo atlas, reflog of main, entry 2")));
  Delete(ColumnFamily::kRefs, RefKey(repo().record().id, RefKind::kBranch, "main"));
  EXPECT_THAT(Problems(), Contains(Field(&Problem::what, "it has no branch")));
}

TEST_F(FsckTest, ARefToACommitThatIsNotThereIsFound) {
  const CommitId gone(Sha256("gone"));
  Put(ColumnFamily::kRefs, RefKey(repo().record().id, RefKind::kTag, "v2"),
      EncodeRef({RefKind::kTag, "v2", gone}));
  EXPECT_THAT(Problems(),
              Contains(AllOf(Field(&Problem::where, "repo atlas, commit " + gone.Short()),
                             Field(&Problem::what, HasSubstr("tag v2")))));
}

TEST_F(FsckTest, AChangedReflogEntryIsFound) {
  ExpectFlipsAreFound(ColumnFamily::kReflog, ReflogKey(repo().record().id, "main", 1),
                      "repo atlas, reflog of main, entry 1");
}

TEST_F(FsckTest, AMissingReflogEntryIsFound) {
  for (const std::uint64_t index : {0, 1}) {
    const std::string key = ReflogKey(repo().record().id, "main", index);
    const std::string stored = Stored(ColumnFamily::kReflog, key);
    Delete(ColumnFamily::kReflog, key);
    EXPECT_THAT(Problems(), Contains(AllOf(Field(&Problem::where, "repo atlas, reflog of main"),
                                           Field(&Problem::what, HasSubstr("missing")))));
    Put(ColumnFamily::kReflog, key, stored);
  }
}

TEST_F(FsckTest, AChangedRepoRecordIsFound) {
  ExpectFlipsAreFound(ColumnFamily::kMeta, RepoKey("atlas"), "repo atlas");
}

TEST_F(FsckTest, ACommitThatLiesAboutItsEditsIsFound) {
  objects::Commit lie = Must(repo().ReadCommit(head_));
  lie.added.pop_back();
  kv::WriteBatch batch;
  const CommitId id = repo().objects().PutCommit(batch, lie);
  Must(store_->Write(batch, kv::Durability::kSynced));
  Tag("lie", id);
  EXPECT_THAT(Problems(), Contains(AllOf(Field(&Problem::where, "repo atlas, commit " + id.Short()),
                                         Field(&Problem::what, HasSubstr("19 edits added")))));
}

TEST_F(FsckTest, EveryProblemIsCollected) {
  Delete(ColumnFamily::kObjects, KeyOf(ObjectKind::kManifest, state_.Raw()));
  Delete(ColumnFamily::kObjects, KeyOf(ObjectKind::kEdit, edits_[0].Raw()));
  Delete(ColumnFamily::kObjects, KeyOf(ObjectKind::kEdit, edits_[39].Raw()));
  const objects::Edit edit = Must(repo().objects().ReadEdit(edits_[7]));
  Delete(ColumnFamily::kPayload, KeyOf(ObjectKind::kPayload, edit.delta_object.Raw()));
  Delete(ColumnFamily::kPayload, KeyOf(ObjectKind::kPayload, edit.keys_object.Raw()));
  Delete(ColumnFamily::kPayload, KeyOf(ObjectKind::kPayload, edit.target_object.Raw()));
  EXPECT_EQ(Problems().size(), 6u);
}

TEST_F(FsckTest, AChangedAuditEntryIsFound) {
  std::string key;
  std::string value;
  Must(store_->Scan(ColumnFamily::kAudit, "", "", [&](std::string_view k, std::string_view v) {
    key = k;
    value = v;
    return false;
  }));
  value.back() ^= 1;
  Put(ColumnFamily::kAudit, key, value);
  EXPECT_THAT(Problems(), Contains(Field(&Problem::where, "audit")));
}

TEST_F(FsckTest, OtherReposAreCheckedToo) {
  const CommitId import = CreateRepo("globe", 'g');
  Delete(ColumnFamily::kCommits, objects::ObjectKey(objects::RepoId(std::string(16, 'g')),
                                                    ObjectKind::kCommit, import.Raw()));
  EXPECT_THAT(Problems(), Contains(Field(&Problem::where, "repo globe, commit " + import.Short())));
}

TEST_F(FsckTest, AnUnfinishedOperationAndItsPayloadsAreNoProblem) {
  StoreEdits(100, 5);
  Must(journal_->Commit(principal_, [&](records::Transaction& transaction) -> Status {
    records::Operation operation;
    EMEND_ASSIGN_OR_RETURN(operation.id, records::NextOperationId(transaction));
    operation.kind = "commit";
    operation.repo = "atlas";
    operation.principal = principal_;
    records::PutOperation(transaction, operation, "operation.accept");
    return OkStatus();
  }));
  EXPECT_THAT(Problems(), IsEmpty());
}

}  // namespace
}  // namespace emend::storage::history::fsck_test
