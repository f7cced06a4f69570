#include "storage/history/ref_records.h"

#include <fstream>
#include <iterator>

#include "tests/storage/objects/sample_records.h"
#include "tests/support/status_matchers.h"

namespace emend::storage::history::ref_records_test {
namespace {

using emend::test::StatusIs;
using objects::test::IdNamed;

std::string Golden(const std::string& name) {
  std::ifstream file("tests/golden/objects/" + name + ".bin", std::ios::binary);
  EXPECT_TRUE(file.good()) << name;
  return {std::istreambuf_iterator<char>(file), {}};
}

const objects::RepoId kRepo("0123456789abcdef");

TEST(GoldenRecords, RepoKeepsItsBytes) {
  const objects::Base base = objects::test::SampleBase();
  const RepoRecord record{RepoName("atlas"),
                          kRepo,
                          objects::IdOf(base),
                          objects::EncodeBase(base),
                          {{"onnx/", "a folder"}, {"pytorch_model.bin", "other weights"}},
                          1767225600123};
  EXPECT_EQ(EncodeRepo(record), Golden("repo"));
  ASSERT_OK_AND_ASSIGN(const RepoRecord read, DecodeRepo(Golden("repo")));
  EXPECT_EQ(EncodeRepo(read), Golden("repo"));
  EXPECT_EQ(read.name, record.name);
  EXPECT_EQ(read.left_out, record.left_out);
  EXPECT_EQ(Sha256(Golden("repo")).Hex(),
            "2497a8e12dac17d28ae9a870395faa9275c58c638a8fad3012134214cdd096ee");
}

const CommitId kCommit =
    *CommitId::FromHex("5c81c2be30fd92085d2a721c54490019be9b513d44fec33bd82096f5c1431bb1");

TEST(GoldenRecords, RefKeepsItsBytes) {
  const Ref ref{RefKind::kBranch, "main", kCommit};
  EXPECT_EQ(EncodeRef(ref), Golden("ref"));
  ASSERT_OK_AND_ASSIGN(const Ref read, DecodeRef(Golden("ref")));
  EXPECT_EQ(read.commit, ref.commit);
  EXPECT_EQ(EncodeRef(read), Golden("ref"));
  EXPECT_EQ(Sha256(Golden("ref")).Hex(),
            "cee8ef279e91b3f03384df15b5de2650d178688fa06faac16f0b60eb6b6b7831");
}

TEST(GoldenRecords, ReflogEntryKeepsItsBytes) {
  const ReflogEntry entry{
      7, IdNamed<CommitId>("from"), kCommit, "ada", 1767225600123, "commit: Teach a hundred facts"};
  EXPECT_EQ(EncodeReflogEntry("main", entry), Golden("reflog_entry"));
  ASSERT_OK_AND_ASSIGN(const ReflogEntry read, DecodeReflogEntry("main", Golden("reflog_entry")));
  EXPECT_EQ(EncodeReflogEntry("main", read), Golden("reflog_entry"));
  EXPECT_EQ(read.index, 7u);
  EXPECT_EQ(Sha256(Golden("reflog_entry")).Hex(),
            "ca8a6f1d81fd67e8fc425d0505af599af4fdd6cb7d2949b0a6e05f177b676f77");
}

TEST(RefRecords, EveryFlippedBitIsRefused) {
  for (const std::string name : {"repo", "ref", "reflog_entry"}) {
    const std::string stored = Golden(name);
    for (std::size_t bit = 0; bit < stored.size() * 8; ++bit) {
      std::string bytes = stored;
      bytes[bit / 8] = static_cast<char>(bytes[bit / 8] ^ (1 << (bit % 8)));
      const Status status = name == "repo"  ? DecodeRepo(bytes).status()
                            : name == "ref" ? DecodeRef(bytes).status()
                                            : DecodeReflogEntry("main", bytes).status();
      ASSERT_THAT(status, StatusIs(StatusCode::kDataLoss)) << name << ", bit " << bit;
    }
  }
}

TEST(RefRecords, ATruncatedRecordIsRefused) {
  for (std::size_t size = 0; size < Golden("ref").size(); ++size) {
    ASSERT_THAT(DecodeRef(Golden("ref").substr(0, size)), StatusIs(StatusCode::kDataLoss)) << size;
  }
}

TEST(RefRecords, AReflogEntryOfAnotherBranchIsRefused) {
  EXPECT_THAT(DecodeReflogEntry("dev", Golden("reflog_entry")), StatusIs(StatusCode::kDataLoss));
}

TEST(Keys, OfAReflogPutTheNewestFirstAndBranchesApart) {
  EXPECT_LT(ReflogKey(kRepo, "main", 256), ReflogKey(kRepo, "main", 255));
  EXPECT_LT(ReflogKey(kRepo, "main", 1), ReflogKey(kRepo, "main", 0));
  EXPECT_FALSE(ReflogKey(kRepo, "main2", 0).starts_with(ReflogPrefix(kRepo, "main")));
  ASSERT_OK_AND_ASSIGN(const ReflogPlace place, ParseReflogKey(ReflogKey(kRepo, "a/b", 300)));
  EXPECT_EQ(place.branch, "a/b");
  EXPECT_EQ(place.index, 300u);
}

TEST(Keys, BeginWithTheRepo) {
  EXPECT_TRUE(RefKey(kRepo, RefKind::kTag, "v1").starts_with(kRepo.value()));
  EXPECT_TRUE(ReflogPrefix(kRepo, "main").starts_with(kRepo.value()));
  EXPECT_NE(RefKey(kRepo, RefKind::kTag, "v1"), RefKey(kRepo, RefKind::kBranch, "v1"));
}

}  // namespace
}  // namespace emend::storage::history::ref_records_test
