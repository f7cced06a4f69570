#include <fstream>
#include <functional>
#include <iterator>
#include <limits>
#include <random>

#include "storage/objects/trie_node.h"
#include "tests/storage/objects/sample_records.h"
#include "tests/storage/objects/test_seed.h"
#include "tests/support/status_matchers.h"

namespace emend::storage::objects::records_test {
namespace {

using emend::test::IsOkAndHolds;
using emend::test::StatusIs;
using test::IdNamed;

std::string Golden(const std::string& name) {
  std::ifstream file("tests/golden/objects/" + name + ".bin", std::ios::binary);
  EXPECT_TRUE(file.good()) << name;
  return {std::istreambuf_iterator<char>(file), {}};
}

TEST(GoldenRecords, BaseKeepsItsBytesAndId) {
  EXPECT_EQ(EncodeBase(test::SampleBase()), Golden("base"));
  EXPECT_THAT(DecodeBase(Golden("base")), IsOkAndHolds(test::SampleBase()));
  EXPECT_EQ(IdOf(test::SampleBase()).Hex(),
            "998736f22c765cd3c919d57254ac53aad2eb787dcb7165fc314193ab6a037fea");
}

TEST(GoldenRecords, EditKeepsItsBytesAndId) {
  EXPECT_EQ(EncodeEdit(test::SampleEdit()), Golden("edit"));
  EXPECT_THAT(DecodeEdit(Golden("edit")), IsOkAndHolds(test::SampleEdit()));
  EXPECT_EQ(IdOf(test::SampleEdit()).Hex(),
            "be8a87e6e21b3ec210df26247984a39bda8b65e232855424d593893a496ab2cb");
}

TEST(GoldenRecords, StateKeepsItsBytesAndId) {
  EXPECT_EQ(EncodeState(test::SampleState()), Golden("state"));
  EXPECT_THAT(DecodeState(Golden("state")), IsOkAndHolds(test::SampleState()));
  EXPECT_EQ(IdOf(test::SampleState()).Hex(),
            "34f46bebe7aad541236af37d54b693e0bcd7a8fe272bcb18370e1b0e40918e5c");
}

TEST(GoldenRecords, ManifestKeepsItsBytes) {
  EXPECT_EQ(EncodeManifest(test::SampleManifest()), Golden("manifest"));
  EXPECT_THAT(DecodeManifest(Golden("manifest")), IsOkAndHolds(test::SampleManifest()));
}

TEST(GoldenRecords, CommitKeepsItsBytesAndId) {
  EXPECT_EQ(EncodeCommit(test::SampleCommit()), Golden("commit"));
  EXPECT_THAT(DecodeCommit(Golden("commit")), IsOkAndHolds(test::SampleCommit()));
  EXPECT_EQ(IdOf(test::SampleCommit()).Hex(),
            "9426e120b29b849b92a398cf38588ba0aee5eec19ba858e20132720276886cff");
}

TEST(GoldenRecords, TrieNodesKeepTheirBytesAndIds) {
  for (const auto& [name, id] :
       {std::pair("trie_empty", "7d90198d304b23f1f06cff309902d30088ad8adf42a74eec21f7fd42d2312a13"),
        std::pair("trie_leaf", "3f194f7f72c9f89aeec17212fe819c15011705760e541a5d9b01df40c1ca5da2"),
        std::pair("trie_branch",
                  "dad76f742bb327863bf0e62aa70f0be6734766bb35577410826737b0ff37e314")}) {
    ASSERT_OK_AND_ASSIGN(const TrieNode node, DecodeNode(Golden(name)));
    EXPECT_EQ(EncodeNode(node), Golden(name));
    EXPECT_EQ(Sha256(EncodeNode(node)).Hex(), id);
  }
}

TEST(EditId, DoesNotDependOnWhereThePayloadsLie) {
  Edit moved = test::SampleEdit();
  moved.delta_object = IdNamed<ObjectId>("encrypted delta");
  moved.keys_object = IdNamed<ObjectId>("encrypted keys");
  EXPECT_EQ(IdOf(moved), IdOf(test::SampleEdit()));
}

TEST(EditId, DependsOnEverythingElse) {
  const std::vector<std::function<void(Edit&)>> changes = {
      [](Edit& e) { e.salt[15] ^= 1; },
      [](Edit& e) { e.facts[0].target = "Dutch"; },
      [](Edit& e) { e.facts[0].old_target.reset(); },
      [](Edit& e) { e.facts[0].lookup = Lookup::kLast; },
      [](Edit& e) { e.facts[0].kind = FactKind::kForget; },
      [](Edit& e) { e.facts[0].join = text::Join::kSpace; },
      [](Edit& e) { std::swap(e.facts[0].paraphrases, e.facts[0].portability); },
      [](Edit& e) { e.facts[0].neighbours[0].target = "French"; },
      [](Edit& e) { e.facts[0].neighbours[1].target.clear(); },
      [](Edit& e) { e.facts.pop_back(); },
      [](Edit& e) { e.solved_on = StateId(); },
      [](Edit& e) { e.method = "emmet"; },
      [](Edit& e) { e.delta_digest = Sha256("another"); },
      [](Edit& e) { e.keys_digest = Sha256("another"); },
      [](Edit& e) { e.target_digest = Sha256("another"); },
  };
  for (const auto& change : changes) {
    Edit edit = test::SampleEdit();
    change(edit);
    EXPECT_NE(IdOf(edit), IdOf(test::SampleEdit()));
    EXPECT_THAT(DecodeEdit(EncodeEdit(edit)), IsOkAndHolds(edit));
  }
}

TEST(CommitEncoding, NegativeZeroAndNaNHaveOneForm) {
  Commit plain = test::SampleCommit();
  plain.before = Evaluation{};
  Commit odd = plain;
  odd.before->es = -0.0;
  EXPECT_EQ(IdOf(odd), IdOf(plain));
  plain.before->es = std::numeric_limits<double>::quiet_NaN();
  odd.before->es = -std::numeric_limits<double>::quiet_NaN();
  EXPECT_EQ(IdOf(odd), IdOf(plain));
  EXPECT_EQ(EncodeCommit(*DecodeCommit(EncodeCommit(odd))), EncodeCommit(odd));
}

TEST(CommitEncoding, UnsortedEditsAreRefused) {
  std::string stored = EncodeCommit(test::SampleCommit());
  const std::string low(test::SampleCommit().added[0].Raw());
  const std::string high(test::SampleCommit().added[1].Raw());
  stored.replace(stored.find(low + high), low.size() * 2, high + low);
  EXPECT_THAT(DecodeCommit(stored), StatusIs(StatusCode::kDataLoss));
}

TEST(ManifestEncoding, AChangedRootIsRefused) {
  std::string stored = EncodeManifest(test::SampleManifest());
  stored[stored.find(std::string(Sha256("served").Raw()))] ^= 1;
  EXPECT_THAT(DecodeManifest(stored), StatusIs(StatusCode::kDataLoss));
}

TEST(BaseEncoding, UnknownElementTypeIsRefused) {
  std::string stored = EncodeBase(test::SampleBase());
  const std::string name = "transformer.ln_f.bias";
  stored[stored.find(name) + name.size()] = 99;
  EXPECT_THAT(DecodeBase(stored), StatusIs(StatusCode::kDataLoss));
}

// Every decoder either refuses changed bytes with kDataLoss, or they are the canonical bytes of
// another value.
template <typename Decode, typename Encode>
void ExpectMutationsAreHandled(const std::string& stored, const Decode& decode,
                               const Encode& encode, std::uint64_t seed) {
  std::mt19937_64 random(seed);
  for (int i = 0; i < 400; ++i) {
    std::string bytes = stored;
    const int flips = 1 + static_cast<int>(random() % 3);
    for (int k = 0; k < flips; ++k) bytes[random() % bytes.size()] = static_cast<char>(random());
    if (i % 4 == 0) bytes.resize(random() % bytes.size());
    const auto value = decode(bytes);
    if (value.ok()) {
      EXPECT_EQ(encode(*value), bytes) << "seed " << seed << ", mutation " << i;
    } else {
      EXPECT_THAT(value, StatusIs(StatusCode::kDataLoss)) << "seed " << seed << ", mutation " << i;
    }
  }
}

TEST(Decoders, HandleRandomMutations) {
  const std::uint64_t seed = emend::test::TestSeed();
  ExpectMutationsAreHandled(EncodeBase(test::SampleBase()), DecodeBase, EncodeBase, seed);
  ExpectMutationsAreHandled(EncodeEdit(test::SampleEdit()), DecodeEdit, EncodeEdit, seed + 1);
  ExpectMutationsAreHandled(EncodeState(test::SampleState()), DecodeState, EncodeState, seed + 2);
  ExpectMutationsAreHandled(EncodeManifest(test::SampleManifest()), DecodeManifest, EncodeManifest,
                            seed + 3);
  ExpectMutationsAreHandled(EncodeCommit(test::SampleCommit()), DecodeCommit, EncodeCommit,
                            seed + 4);
  ExpectMutationsAreHandled(Golden("trie_branch"), DecodeNode, EncodeNode, seed + 5);
  ExpectMutationsAreHandled(Golden("trie_leaf"), DecodeNode, EncodeNode, seed + 6);
}

TEST(Decoders, RefuseLeftOverBytes) {
  EXPECT_THAT(DecodeEdit(EncodeEdit(test::SampleEdit()) + '\0'), StatusIs(StatusCode::kDataLoss));
  EXPECT_THAT(DecodeCommit(EncodeCommit(test::SampleCommit()) + '\0'),
              StatusIs(StatusCode::kDataLoss));
  EXPECT_THAT(DecodeState(""), StatusIs(StatusCode::kDataLoss));
}

}  // namespace
}  // namespace emend::storage::objects::records_test
