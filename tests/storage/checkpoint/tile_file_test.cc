// What is read of a tensor is what was imported, tile by tile, and nothing else is looked at.
#include "storage/checkpoint/tile_file.h"

#include <gmock/gmock.h>

#include "tests/storage/checkpoint/checkpoint_fixture.h"
#include "tests/storage/checkpoint/write_tensors.h"
#include "tests/support/status_matchers.h"

namespace emend::storage::checkpoint::tile_file_test {
namespace {

using delta::DType;
using delta::TensorRange;
using delta::TensorShape;
using test::IsOk;
using test::StatusIs;
using testing::HasSubstr;

constexpr char kGolden[] = "tests/golden/tiles-v1.bin";
constexpr char kName[] = "b.weight";
constexpr std::uint64_t kRows = 70, kCols = 130;  // tiles: 2 x 3

Bytes Pattern(std::size_t size) {
  Bytes bytes(size);
  for (std::size_t i = 0; i < size; ++i) bytes[i] = static_cast<std::uint8_t>(i % 251);
  return bytes;
}

// The three tensors of the golden file, and their digests.
class TileFileTest : public FolderTest {
 protected:
  TileFileTest() {
    tensors_ = {{"a.bias", DType::kF32, {3}, Pattern(12)},
                {kName, DType::kBF16, {kRows, kCols}, Pattern(kRows * kCols * 2)},
                {"empty", DType::kBF16, {0}, {}}};
    for (const NewTensor& tensor : tensors_) {
      const TensorShape shape = delta::Flatten(tensor.dtype, tensor.shape);
      leaves_[tensor.name] =
          *delta::HashTiles(shape, TensorRange{0, shape.rows, 0, shape.cols}, tensor.bytes);
      roots_[tensor.name] = *delta::TensorRoot(shape, leaves_[tensor.name]);
    }
    EXPECT_THAT(WriteTileFile(Path("tiles"), leaves_), IsOk());
  }

  std::unique_ptr<const TileFile> Open() const {
    auto tiles = TileFile::Open(Path("tiles"), roots_);
    EMEND_CHECK(tiles.ok(), tiles.status().ToString());
    return std::move(tiles).value();
  }
  TensorView View(std::size_t index) const {
    const NewTensor& tensor = tensors_[index];
    return {.name = tensor.name,
            .dtype = tensor.dtype,
            .shape = tensor.shape,
            .bytes = tensor.bytes,
            .file = "model.safetensors"};
  }
  Result<std::uint64_t> Check(const std::vector<TensorRange>& ranges) const {
    return Open()->Check(View(1), ranges);
  }
  void Flip(std::uint64_t row, std::uint64_t col) {
    tensors_[1].bytes[(row * kCols + col) * 2] ^= 1;
  }

  std::vector<NewTensor> tensors_;
  TileLeaves leaves_;
  std::map<std::string, Digest> roots_;
};

TEST_F(TileFileTest, TheFileIsThatOfTheFirstRelease) {
  EXPECT_EQ(Read(Path("tiles")), Read(kGolden));
}

TEST_F(TileFileTest, ATileIsReadOnceAndWholeWhoeverTouchesIt) {
  constexpr std::uint64_t kTileBytes = 64 * 64 * 2;
  EXPECT_EQ(*Check({{0, kRows, 0, kCols}}), tensors_[1].bytes.size());
  EXPECT_EQ(*Check({{0, 64, 0, 64}}), kTileBytes);
  EXPECT_EQ(*Check({{3, 4, 5, 6}, {10, 20, 60, 64}}), kTileBytes) << "two ranges in one tile";
  EXPECT_EQ(*Check({{0, 64, 63, 65}}), 2 * kTileBytes);
  EXPECT_EQ(*Check({{64, kRows, 128, kCols}}), std::uint64_t{6 * 2 * 2})
      << "the last tile is smaller";
  EXPECT_EQ(*Check({{0, 64, 0, 64}, {0, 64, 128, kCols}}), std::uint64_t{kTileBytes + 64 * 2 * 2})
      << "with a tile between them left out";
  EXPECT_EQ(*Check({}), 0U);
  EXPECT_EQ(*Check({{0, kRows, 7, 7}}), 0U);
  EXPECT_EQ(*Open()->Check(View(0), std::vector<TensorRange>{{0, 1, 1, 2}}), 12U);
  EXPECT_EQ(*Open()->Check(View(2), std::vector<TensorRange>{{0, 1, 0, 0}}), 0U);
}

TEST_F(TileFileTest, AFlippedBitIsFoundByWhoReadsItsTile) {
  Flip(65, 70);  // tile 4
  const auto found = Check({{0, kRows, 64, 128}});
  EXPECT_THAT(found, StatusIs(StatusCode::kDataLoss, "base_damaged"));
  EXPECT_THAT(found.status().message(),
              HasSubstr("\"b.weight\" in \"model.safetensors\": tile 4 of 6"));
  EXPECT_THAT(Check({{0, 64, 0, kCols}}), IsOk());
  EXPECT_THAT(Check({{64, kRows, 0, 64}}), IsOk());
}

TEST_F(TileFileTest, LeavesThatDoNotGiveTheRecordedDigestAreNotBelieved) {
  Flip(0, 0);
  const TensorShape shape{DType::kBF16, kRows, kCols};
  leaves_[kName] = *delta::HashTiles(shape, TensorRange{0, kRows, 0, kCols}, tensors_[1].bytes);
  ASSERT_THAT(WriteTileFile(Path("tiles"), leaves_), IsOk());
  EXPECT_THAT(Check({{64, kRows, 64, 128}}), StatusIs(StatusCode::kDataLoss, "base_damaged"))
      << "a tile file that fits the damaged tensor";
  leaves_[kName].pop_back();
  ASSERT_THAT(WriteTileFile(Path("tiles"), leaves_), IsOk());
  EXPECT_THAT(Check({{0, 64, 0, 64}}), StatusIs(StatusCode::kDataLoss, "base_damaged"))
      << "a leaf is missing";
  leaves_.erase(kName);
  ASSERT_THAT(WriteTileFile(Path("tiles"), leaves_), IsOk());
  EXPECT_THAT(Check({{0, 64, 0, 64}}), StatusIs(StatusCode::kDataLoss, "base_damaged"))
      << "the tensor is missing";
}

TEST_F(TileFileTest, AHeaderThatGivesATensorAnotherTypeOrShapeIsNoticed) {
  tensors_[1].dtype = DType::kF16;
  EXPECT_THAT(Check({{0, 64, 0, 64}}), StatusIs(StatusCode::kDataLoss, "base_damaged"));
  tensors_[1].dtype = DType::kBF16;
  tensors_[1].shape = {kCols, kRows};
  EXPECT_THAT(Check({{0, 64, 0, 64}}), StatusIs(StatusCode::kDataLoss, "base_damaged"));
}

TEST_F(TileFileTest, AnyFlippedByteOfTheFileIsNoticedWhenItIsOpened) {
  const std::string whole = Read(Path("tiles"));
  for (std::size_t i = 0; i < whole.size(); i += 3) {
    std::string damaged = whole;
    damaged[i] = static_cast<char>(damaged[i] ^ 4);
    Write("tiles", damaged);
    EXPECT_THAT(TileFile::Open(Path("tiles"), roots_),
                StatusIs(StatusCode::kDataLoss, "base_damaged"))
        << i;
  }
  for (const std::size_t size : {std::size_t{0}, std::size_t{31}, whole.size() - 1}) {
    Write("tiles", whole.substr(0, size));
    EXPECT_THAT(TileFile::Open(Path("tiles"), roots_),
                StatusIs(StatusCode::kDataLoss, "base_damaged"))
        << size;
  }
  EXPECT_THAT(TileFile::Open(Path("none"), roots_), StatusIs(StatusCode::kNotFound));
}

TEST_F(TileFileTest, ACheckpointWithOtherTensorsThanWereImportedIsRefused) {
  ASSERT_THAT(WriteSafetensors(Path("model.safetensors"), tensors_, {}), IsOk());
  const auto checkpoint = std::move(Checkpoint::Open(folder_)).value();
  EXPECT_EQ(checkpoint->tiles(), nullptr);
  EXPECT_THAT(checkpoint->CheckWith(Open()), IsOk());
  EXPECT_NE(checkpoint->tiles(), nullptr);
  roots_["c.weight"] = Digest();
  EXPECT_THAT(checkpoint->CheckWith(Open()), StatusIs(StatusCode::kDataLoss, "base_damaged"));
  roots_.erase("c.weight");
  roots_.erase("a.bias");
  EXPECT_THAT(checkpoint->CheckWith(Open()), StatusIs(StatusCode::kDataLoss, "base_damaged"));
}

}  // namespace
}  // namespace emend::storage::checkpoint::tile_file_test
