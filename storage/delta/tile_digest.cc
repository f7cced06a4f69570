#include "storage/delta/tile_digest.h"

#include <algorithm>
#include <cstring>
#include <string>

#include "storage/base/encoding.h"

namespace emend::storage::delta {
namespace {

constexpr std::uint8_t kLeafMark = 0;
constexpr std::uint8_t kNodeMark = 1;
constexpr std::uint8_t kRootMark = 2;

std::uint64_t CeilDiv(std::uint64_t value, std::uint64_t by) {
  return value / by + (value % by != 0 ? 1 : 0);
}

bool IsTileEdge(std::uint64_t value, std::uint64_t tile, std::uint64_t end) {
  return value == end || (value < end && value % tile == 0);
}

std::string ShapeText(const TensorShape& shape) {
  return std::string(DTypeName(shape.dtype)) + " [" + std::to_string(shape.rows) + ", " +
         std::to_string(shape.cols) + "]";
}

Status CheckRange(const TensorShape& shape, const TensorRange& range, std::size_t byte_count) {
  const bool ordered = range.row_begin <= range.row_end && range.col_begin <= range.col_end;
  if (!ordered || !IsTileEdge(range.row_begin, kTileRows, shape.rows) ||
      !IsTileEdge(range.row_end, kTileRows, shape.rows) ||
      !IsTileEdge(range.col_begin, kTileCols, shape.cols) ||
      !IsTileEdge(range.col_end, kTileCols, shape.cols)) {
    return InvalidArgument(
        "hashing a part of a tensor " + ShapeText(shape) + ": rows " +
        std::to_string(range.row_begin) + " to " + std::to_string(range.row_end) + " and columns " +
        std::to_string(range.col_begin) + " to " + std::to_string(range.col_end) +
        " are not cut at tile edges (multiples of 64, or the tensor's end)");
  }
  std::uint64_t expected = 0;
  if (__builtin_mul_overflow(range.rows(), range.cols(), &expected) ||
      __builtin_mul_overflow(expected, ElementBytes(shape.dtype), &expected) ||
      expected != byte_count) {
    return InvalidArgument("hashing " + std::to_string(range.rows()) + " x " +
                           std::to_string(range.cols()) + " elements of a tensor " +
                           ShapeText(shape) + ": found " + std::to_string(byte_count) +
                           " bytes, expected the elements' size");
  }
  return OkStatus();
}

void PutU64(std::uint8_t* out, std::uint64_t value) {
  for (int i = 0; i < 8; ++i) out[i] = static_cast<std::uint8_t>(value >> (8 * i));
}

Digest HashNode(const Digest& left, const Digest& right) {
  std::array<char, 1 + 2 * Digest::kSize> buffer{};
  buffer[0] = static_cast<char>(kNodeMark);
  std::memcpy(buffer.data() + 1, left.bytes.data(), Digest::kSize);
  std::memcpy(buffer.data() + 1 + Digest::kSize, right.bytes.data(), Digest::kSize);
  return Sha256({buffer.data(), buffer.size()});
}

// A tensor without elements has no leaves; its top is 32 zero bytes.
Digest MerkleTop(std::vector<Digest> level) {
  if (level.empty()) return Digest();
  while (level.size() > 1) {
    const std::size_t pairs = level.size() / 2;
    for (std::size_t i = 0; i < pairs; ++i) level[i] = HashNode(level[2 * i], level[2 * i + 1]);
    if (level.size() % 2 != 0) level[pairs] = level.back();
    level.resize(CeilDiv(level.size(), 2));
  }
  return level[0];
}

}  // namespace

TensorShape Flatten(DType dtype, std::span<const std::uint64_t> dims) {
  TensorShape shape{dtype, 1, 1};
  if (dims.size() == 1) shape.cols = dims[0];
  if (dims.size() < 2) return shape;
  shape.rows = dims[0];
  for (const std::uint64_t dim : dims.subspan(1)) shape.cols *= dim;
  return shape;
}

Result<std::vector<TileLeaf>> HashTiles(const TensorShape& shape, const TensorRange& range,
                                        std::span<const std::uint8_t> bytes) {
  EMEND_RETURN_IF_ERROR(CheckRange(shape, range, bytes.size()));
  constexpr std::size_t kHeadBytes = 9;
  const std::size_t element_bytes = ElementBytes(shape.dtype);
  const std::size_t row_bytes = range.cols() * element_bytes;
  const std::uint64_t tiles_per_row = CeilDiv(shape.cols, kTileCols);
  // One buffer a tile, so that SHA-256 sees one piece instead of 64.
  std::vector<std::uint8_t> buffer(kHeadBytes + kTileRows * kTileCols * element_bytes);
  buffer[0] = kLeafMark;
  std::vector<TileLeaf> leaves;
  leaves.reserve(CeilDiv(range.rows(), kTileRows) * CeilDiv(range.cols(), kTileCols));
  for (std::uint64_t row = range.row_begin; row < range.row_end; row += kTileRows) {
    const std::uint64_t row_end = std::min(row + kTileRows, range.row_end);
    for (std::uint64_t col = range.col_begin; col < range.col_end; col += kTileCols) {
      const std::size_t piece = (std::min(col + kTileCols, range.col_end) - col) * element_bytes;
      const std::uint64_t index = row / kTileRows * tiles_per_row + col / kTileCols;
      PutU64(buffer.data() + 1, index);
      std::uint8_t* out = buffer.data() + kHeadBytes;
      for (std::uint64_t r = row; r < row_end; ++r, out += piece) {
        std::memcpy(out,
                    bytes.data() + (r - range.row_begin) * row_bytes +
                        (col - range.col_begin) * element_bytes,
                    piece);
      }
      const auto size = static_cast<std::size_t>(out - buffer.data());
      leaves.push_back({index, Sha256({reinterpret_cast<const char*>(buffer.data()), size})});
    }
  }
  return leaves;
}

Result<Digest> TensorRoot(const TensorShape& shape, std::vector<TileLeaf> leaves) {
  std::sort(leaves.begin(), leaves.end(),
            [](const TileLeaf& x, const TileLeaf& y) { return x.index < y.index; });
  std::uint64_t expected = 0;
  const bool overflows = __builtin_mul_overflow(CeilDiv(shape.rows, kTileRows),
                                                CeilDiv(shape.cols, kTileCols), &expected);
  bool complete = !overflows && leaves.size() == expected;
  for (std::size_t i = 0; complete && i < leaves.size(); ++i) complete = leaves[i].index == i;
  if (!complete) {
    return InvalidArgument("computing the digest of a tensor " + ShapeText(shape) + ": the " +
                           std::to_string(leaves.size()) +
                           " tile digests are not its tiles, each once; expected the tiles 0 to " +
                           std::to_string(expected) + " (exclusive)");
  }
  std::vector<Digest> level;
  level.reserve(leaves.size());
  for (const TileLeaf& leaf : leaves) level.push_back(leaf.digest);
  Encoder out;
  out.U8(kRootMark);
  out.U8(static_cast<std::uint8_t>(shape.dtype));
  out.U64(shape.rows);
  out.U64(shape.cols);
  out.Raw(MerkleTop(std::move(level)).Raw());
  return Sha256(out.bytes());
}

Result<Digest> HashTensor(const TensorShape& shape, std::span<const std::uint8_t> bytes) {
  EMEND_ASSIGN_OR_RETURN(std::vector<TileLeaf> leaves,
                         HashTiles(shape, TensorRange{0, shape.rows, 0, shape.cols}, bytes));
  return TensorRoot(shape, std::move(leaves));
}

}  // namespace emend::storage::delta
