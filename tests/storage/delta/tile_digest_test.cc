#include "storage/delta/tile_digest.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "storage/base/encoding.h"
#include "tests/storage/delta/delta_fixture.h"

namespace emend::storage::delta::tile_digest_test {
namespace {

const TensorShape kShape{DType::kBF16, 130, 70};  // 3 x 2 tiles

std::string Text(const Bytes& bytes) { return {bytes.begin(), bytes.end()}; }

// The definition in the header, written out for 3 x 2 tiles.
Digest PlainDigest(const Bytes& bytes) {
  std::vector<Digest> leaves;
  for (std::uint64_t row = 0; row < 130; row += 64) {
    for (std::uint64_t col = 0; col < 70; col += 64) {
      Encoder leaf;
      leaf.U8(0);
      leaf.U64(leaves.size());
      for (std::uint64_t r = row; r < std::min<std::uint64_t>(row + 64, 130); ++r) {
        const std::uint64_t end = std::min<std::uint64_t>(col + 64, 70);
        leaf.Raw(Text(bytes).substr(2 * (r * 70 + col), 2 * (end - col)));
      }
      leaves.push_back(Sha256(leaf.bytes()));
    }
  }
  const auto node = [](const Digest& left, const Digest& right) {
    return Sha256("\x01" + std::string(left.Raw()) + std::string(right.Raw()));
  };
  const Digest top = node(node(node(leaves[0], leaves[1]), node(leaves[2], leaves[3])),
                          node(leaves[4], leaves[5]));
  Encoder root;
  root.U8(2);
  root.U8(4);
  root.U64(130);
  root.U64(70);
  root.Raw(top.Raw());
  return Sha256(root.bytes());
}

class TileDigest : public testing::Test {
 protected:
  Source source_{11};
  Bytes bytes_ = source_.Weights(DType::kBF16, 130 * 70);
};

TEST_F(TileDigest, IsTheMerkleRootOfItsDefinition) {
  EXPECT_EQ(HashTensor(kShape, bytes_).value(), PlainDigest(bytes_));
}

TEST_F(TileDigest, LeavesMayComeInAnyOrder) {
  auto leaves = HashTiles(kShape, TensorRange{0, 130, 0, 70}, bytes_).value();
  std::reverse(leaves.begin(), leaves.end());
  EXPECT_EQ(TensorRoot(kShape, leaves).value(), PlainDigest(bytes_));
}

TEST_F(TileDigest, SeesEveryFlippedBit) {
  const Digest whole = HashTensor(kShape, bytes_).value();
  for (int i = 0; i < 200; ++i) {
    Bytes flipped = bytes_;
    flipped[source_.Below(flipped.size())] ^= static_cast<std::uint8_t>(1U << source_.Below(8));
    EXPECT_NE(HashTensor(kShape, flipped).value(), whole);
  }
}

TEST_F(TileDigest, BindsTypeAndShape) {
  const Bytes zeros(64);
  std::vector<Digest> digests;
  for (const TensorShape& shape :
       {TensorShape{DType::kBF16, 4, 8}, TensorShape{DType::kF16, 4, 8},
        TensorShape{DType::kBF16, 8, 4}, TensorShape{DType::kU8, 8, 8}}) {
    digests.push_back(HashTensor(shape, zeros).value());
  }
  std::sort(digests.begin(), digests.end());
  EXPECT_EQ(std::unique(digests.begin(), digests.end()), digests.end());
}

TEST_F(TileDigest, RefusesRangesThatAreNotCutAtTileEdges) {
  EXPECT_EQ(HashTiles(kShape, TensorRange{0, 63, 0, 70}, Bytes(63 * 140)).status().code(),
            StatusCode::kInvalidArgument);
  EXPECT_EQ(HashTiles(kShape, TensorRange{0, 64, 1, 70}, Bytes(64 * 138)).status().code(),
            StatusCode::kInvalidArgument);
  EXPECT_EQ(HashTiles(kShape, TensorRange{64, 0, 0, 70}, Bytes()).status().code(),
            StatusCode::kInvalidArgument);
  EXPECT_EQ(HashTiles(kShape, TensorRange{128, 192, 0, 70}, Bytes(64 * 140)).status().code(),
            StatusCode::kInvalidArgument);
  EXPECT_TRUE(HashTiles(kShape, TensorRange{128, 130, 64, 70}, Bytes(24)).ok());
}

TEST_F(TileDigest, RefusesAWrongByteCount) {
  EXPECT_EQ(HashTensor(kShape, Bytes(130 * 70 * 2 - 1)).status().code(),
            StatusCode::kInvalidArgument);
}

TEST_F(TileDigest, RefusesMissingDoubledAndForeignTiles) {
  const auto leaves = HashTiles(kShape, TensorRange{0, 130, 0, 70}, bytes_).value();
  auto missing = leaves;
  missing.pop_back();
  EXPECT_EQ(TensorRoot(kShape, missing).status().code(), StatusCode::kInvalidArgument);
  auto doubled = leaves;
  doubled[1] = doubled[0];
  EXPECT_EQ(TensorRoot(kShape, doubled).status().code(), StatusCode::kInvalidArgument);
  auto foreign = leaves;
  foreign[5].index = 6;
  EXPECT_EQ(TensorRoot(kShape, foreign).status().code(), StatusCode::kInvalidArgument);
}

TEST_F(TileDigest, FlattensOtherRanks) {
  EXPECT_EQ(Flatten(DType::kF32, std::vector<std::uint64_t>{}).cols, 1U);
  EXPECT_EQ(Flatten(DType::kF32, std::vector<std::uint64_t>{7}).rows, 1U);
  const TensorShape shape = Flatten(DType::kF32, std::vector<std::uint64_t>{2, 3, 5});
  EXPECT_EQ(shape.rows, 2U);
  EXPECT_EQ(shape.cols, 15U);
}

TEST_F(TileDigest, EmptyTensorsHaveADigest) {
  EXPECT_TRUE(HashTensor({DType::kF32, 0, 5}, {}).ok());
  EXPECT_NE(HashTensor({DType::kF32, 0, 5}, {}).value(),
            HashTensor({DType::kF32, 5, 0}, {}).value());
}

// Stored in every manifest: the digest of these bytes may never change.
TEST_F(TileDigest, GoldenDigestIsUnchanged) {
  Bytes bytes(130 * 70 * 2);
  for (std::size_t i = 0; i < bytes.size(); ++i)
    bytes[i] = static_cast<std::uint8_t>(i * 31 + i / 251);
  EXPECT_EQ(HashTensor(kShape, bytes)->Hex(),
            "87547aa52530d0555efeec91f8bfa291a2c041dd95c352f1e6fffb90c5d8074e");
}

}  // namespace
}  // namespace emend::storage::delta::tile_digest_test
