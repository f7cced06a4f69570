#include "storage/objects/object_store.h"

#include "storage/objects/keys.h"
#include "tests/storage/objects/sample_records.h"
#include "tests/support/memory_kv.h"
#include "tests/support/status_matchers.h"

namespace emend::storage::objects::object_store_test {
namespace {

using emend::test::IsOk;
using emend::test::IsOkAndHolds;
using emend::test::StatusIs;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

const RepoId kRepo("repo-id-16-bytes");
const RepoId kOtherRepo("other-id-16-byte");

class ObjectStoreTest : public ::testing::Test {
 protected:
  void Write() {
    ASSERT_THAT(store_->Write(batch_, kv::Durability::kSynced), IsOk());
    batch_ = kv::WriteBatch();
  }
  void FlipLastByte(ObjectKind kind, std::string_view raw_id) {
    auto stored = store_->Get(FamilyOf(kind), ObjectKey(kRepo, kind, raw_id));
    ASSERT_TRUE(stored.ok() && stored->has_value());
    std::string bytes = **stored;
    bytes.back() ^= 1;
    batch_.Put(FamilyOf(kind), ObjectKey(kRepo, kind, raw_id), bytes);
    Write();
  }

  std::unique_ptr<emend::test::MemoryKv> store_ = emend::test::NewMemoryKv();
  ObjectStore objects_{*store_, kRepo};
  kv::WriteBatch batch_;
};

TEST_F(ObjectStoreTest, WhatWasPutIsReadBack) {
  const EditId edit = objects_.PutEdit(batch_, test::SampleEdit());
  const StateId state = objects_.PutState(batch_, test::SampleState());
  objects_.PutManifest(batch_, test::SampleManifest());
  const CommitId commit = objects_.PutCommit(batch_, test::SampleCommit());
  const ObjectId object = objects_.PutObject(batch_, "bytes");
  ASSERT_OK_AND_ASSIGN(const ObjectId payload, objects_.PutPayload(batch_, "stored payload"));
  Write();
  EXPECT_THAT(objects_.ReadEdit(edit), IsOkAndHolds(test::SampleEdit()));
  EXPECT_THAT(objects_.ReadState(state), IsOkAndHolds(test::SampleState()));
  EXPECT_THAT(objects_.ReadManifest(state), IsOkAndHolds(test::SampleManifest()));
  EXPECT_THAT(objects_.ReadCommit(commit), IsOkAndHolds(test::SampleCommit()));
  EXPECT_THAT(objects_.ReadObject(object), IsOkAndHolds(std::string("bytes")));
  EXPECT_THAT(objects_.ReadPayload(payload), IsOkAndHolds(std::string("stored payload")));
  EXPECT_EQ(payload.digest(), Sha256("stored payload"));
}

TEST_F(ObjectStoreTest, NothingCrossesReposByHash) {
  const EditId edit = objects_.PutEdit(batch_, test::SampleEdit());
  Write();
  const Result<Edit> read = ObjectStore(*store_, kOtherRepo).ReadEdit(edit);
  EXPECT_THAT(read, StatusIs(StatusCode::kNotFound));
  EXPECT_THAT(read.status().message(), HasSubstr("edit " + edit.Hex()));
}

TEST_F(ObjectStoreTest, ChangedBytesAreNeverAWrongRecord) {
  const EditId edit = objects_.PutEdit(batch_, test::SampleEdit());
  const StateId state = objects_.PutState(batch_, test::SampleState());
  objects_.PutManifest(batch_, test::SampleManifest());
  const CommitId commit = objects_.PutCommit(batch_, test::SampleCommit());
  ASSERT_OK_AND_ASSIGN(const ObjectId payload, objects_.PutPayload(batch_, "stored payload"));
  Write();
  FlipLastByte(ObjectKind::kState, state.Raw());
  FlipLastByte(ObjectKind::kManifest, state.Raw());
  FlipLastByte(ObjectKind::kCommit, commit.Raw());
  FlipLastByte(ObjectKind::kPayload, payload.Raw());
  EXPECT_THAT(objects_.ReadState(state), StatusIs(StatusCode::kDataLoss));
  EXPECT_THAT(objects_.ReadManifest(state), StatusIs(StatusCode::kDataLoss));
  EXPECT_THAT(objects_.ReadCommit(commit), StatusIs(StatusCode::kDataLoss));
  EXPECT_THAT(objects_.ReadPayload(payload), StatusIs(StatusCode::kDataLoss));

  Edit other = test::SampleEdit();
  other.method = "emmet";
  batch_.Put(kv::ColumnFamily::kObjects, ObjectKey(kRepo, ObjectKind::kEdit, edit.Raw()),
             EncodeEdit(other));
  Write();
  EXPECT_THAT(objects_.ReadEdit(edit), StatusIs(StatusCode::kDataLoss));
}

TEST_F(ObjectStoreTest, AManifestOfAnotherStateIsRefused) {
  const StateId asked = test::IdNamed<StateId>("asked");
  batch_.Put(kv::ColumnFamily::kObjects, ObjectKey(kRepo, ObjectKind::kManifest, asked.Raw()),
             EncodeManifest(test::SampleManifest()));
  Write();
  EXPECT_THAT(objects_.ReadManifest(asked), StatusIs(StatusCode::kDataLoss));
}

TEST_F(ObjectStoreTest, APayloadBeyond64MiBIsRefused) {
  const std::string large((64U << 20) + 1, 'x');
  EXPECT_THAT(objects_.PutPayload(batch_, large), StatusIs(StatusCode::kResourceExhausted));
  EXPECT_THAT(batch_.changes(), IsEmpty());
}

TEST_F(ObjectStoreTest, CommitsAreFoundByEveryPrefixOfTheirHex) {
  std::vector<CommitId> ids;
  for (int i = 0; i < 300; ++i) {
    Commit commit = test::SampleCommit();
    commit.seed = static_cast<std::uint64_t>(i);
    ids.push_back(objects_.PutCommit(batch_, commit));
  }
  Write();
  std::sort(ids.begin(), ids.end());
  for (const std::size_t length :
       {std::size_t{1}, std::size_t{2}, std::size_t{3}, std::size_t{63}, std::size_t{64}}) {
    const std::string prefix = ids[150].Hex().substr(0, length);
    std::vector<CommitId> expected;
    std::copy_if(ids.begin(), ids.end(), std::back_inserter(expected),
                 [&](const CommitId& id) { return id.Hex().starts_with(prefix); });
    EXPECT_THAT(objects_.FindCommits(prefix, 1000), IsOkAndHolds(expected)) << prefix;
  }
  EXPECT_THAT(objects_.FindCommits("", 1000), IsOkAndHolds(ids));
  EXPECT_THAT(objects_.FindCommits("", 7), IsOkAndHolds(SizeIs(7)));
  EXPECT_THAT(objects_.FindCommits("", 0), IsOkAndHolds(IsEmpty()));
}

TEST_F(ObjectStoreTest, UpperCaseHexIsTakenAndOtherTextIsNot) {
  const CommitId id = objects_.PutCommit(batch_, test::SampleCommit());
  Write();
  EXPECT_THAT(objects_.FindCommits("9426E", 2), IsOkAndHolds(ElementsAre(id)));
  EXPECT_THAT(objects_.FindCommits("5c81g", 2), StatusIs(StatusCode::kInvalidArgument));
  EXPECT_THAT(objects_.FindCommits(id.Hex() + "0", 2), IsOkAndHolds(IsEmpty()));
}

}  // namespace
}  // namespace emend::storage::objects::object_store_test
