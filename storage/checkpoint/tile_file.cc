#include "storage/checkpoint/tile_file.h"

#include <algorithm>
#include <utility>

#include "storage/base/encoding.h"
#include "storage/checkpoint/file_io.h"

namespace emend::storage::checkpoint {
namespace {

using delta::kTileCols;
using delta::kTileRows;
using delta::TensorRange;
using delta::TensorShape;
using delta::TileLeaf;

constexpr std::uint16_t kTilesVersion = 1;
constexpr std::size_t kTensorBytesMin = 8;  // a name's length and a count

Status Damaged(const std::string& what) {
  return {StatusCode::kDataLoss, "base_damaged",
          what + "; import the same model again to mend the copy and its tile file"};
}

std::span<const std::uint8_t> BytesOf(std::string_view text) {
  return {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()};
}

// Appends to the file and to the digest of all of it.
Status Append(AtomicFile& file, Sha256Hasher& hasher, std::string_view bytes) {
  hasher.Update(bytes);
  return file.Append(BytesOf(bytes));
}

std::uint64_t TilesOf(std::uint64_t size, std::uint64_t tile) { return (size + tile - 1) / tile; }

// Which of the tensor's tiles the ranges touch, by index.
std::vector<bool> TouchedTiles(const TensorShape& shape, std::span<const TensorRange> ranges) {
  const std::uint64_t tiles_per_row = TilesOf(shape.cols, kTileCols);
  std::vector<bool> touched(TilesOf(shape.rows, kTileRows) * tiles_per_row);
  for (const TensorRange& range : ranges) {
    EMEND_CHECK(range.row_end <= shape.rows && range.col_end <= shape.cols,
                "a range to be checked reaches beyond its tensor");
    if (range.rows() == 0 || range.cols() == 0) continue;
    for (std::uint64_t row = range.row_begin / kTileRows; row < TilesOf(range.row_end, kTileRows);
         ++row) {
      for (std::uint64_t col = range.col_begin / kTileCols; col < TilesOf(range.col_end, kTileCols);
           ++col)
        touched[row * tiles_per_row + col] = true;
    }
  }
  return touched;
}

// Neighbours of one row of tiles are hashed together.
std::vector<TensorRange> RangesOf(const TensorShape& shape, const std::vector<bool>& touched) {
  const std::uint64_t tiles_per_row = TilesOf(shape.cols, kTileCols);
  std::vector<TensorRange> ranges;
  for (std::uint64_t index = 0; index < touched.size(); ++index) {
    if (!touched[index]) continue;
    const std::uint64_t row = index / tiles_per_row * kTileRows, first = index % tiles_per_row;
    std::uint64_t end = first + 1;
    for (; end < tiles_per_row && touched[index + 1]; ++end) ++index;
    ranges.push_back({row, std::min(row + kTileRows, shape.rows), first * kTileCols,
                      std::min(end * kTileCols, shape.cols)});
  }
  return ranges;
}

// The elements of a range of at most kTileRows rows.
std::vector<std::uint8_t> CopyRange(const TensorShape& shape, std::span<const std::uint8_t> tensor,
                                    const TensorRange& range) {
  const std::size_t element = delta::ElementBytes(shape.dtype);
  std::vector<std::uint8_t> bytes;
  bytes.reserve(range.rows() * range.cols() * element);
  for (std::uint64_t row = range.row_begin; row < range.row_end; ++row) {
    const std::span<const std::uint8_t> part =
        tensor.subspan((row * shape.cols + range.col_begin) * element, range.cols() * element);
    bytes.insert(bytes.end(), part.begin(), part.end());
  }
  return bytes;
}

}  // namespace

Status WriteTileFile(const std::string& path, const TileLeaves& leaves) {
  EMEND_ASSIGN_OR_RETURN(const std::unique_ptr<AtomicFile> file, AtomicFile::Create(path));
  Sha256Hasher hasher;
  Encoder head(RecordType::kTiles, kTilesVersion);
  head.Count(leaves.size());
  EMEND_RETURN_IF_ERROR(Append(*file, hasher, head.bytes()));
  for (const auto& [name, tiles] : leaves) {
    Encoder tensor;
    tensor.Text(name);
    tensor.Count(tiles.size());
    for (const TileLeaf& leaf : tiles) tensor.Raw(leaf.digest.Raw());
    EMEND_RETURN_IF_ERROR(Append(*file, hasher, tensor.bytes()));
  }
  EMEND_RETURN_IF_ERROR(file->Append(BytesOf(hasher.Finish().Raw())));
  return file->Commit();
}

TileFile::TileFile(std::string path, std::map<std::string, Digest> roots,
                   std::unique_ptr<MappedFile> file)
    : path_(std::move(path)), roots_(std::move(roots)), file_(std::move(file)) {}

TileFile::~TileFile() = default;

Result<std::unique_ptr<const TileFile>> TileFile::Open(const std::string& path,
                                                       std::map<std::string, Digest> roots) {
  EMEND_ASSIGN_OR_RETURN(std::unique_ptr<MappedFile> file, MappedFile::Open(path));
  std::unique_ptr<TileFile> tiles(new TileFile(path, std::move(roots), std::move(file)));
  const Status decoded = tiles->Decode();
  if (!decoded.ok()) return Damaged("reading the tile file \"" + path + "\": " + decoded.message());
  return std::unique_ptr<const TileFile>(std::move(tiles));
}

Status TileFile::Decode() {
  const std::string_view bytes(reinterpret_cast<const char*>(file_->bytes().data()),
                               file_->bytes().size());
  if (bytes.size() < Digest::kSize)
    return DataLoss("it has " + std::to_string(bytes.size()) + " bytes");
  const std::string_view contents = bytes.substr(0, bytes.size() - Digest::kSize);
  if (Sha256(contents).Raw() != bytes.substr(contents.size()))
    return DataLoss("its digest does not match its contents");
  Decoder in(contents);
  in.Record(RecordType::kTiles, kTilesVersion);
  const std::size_t count = in.Count(kTensorBytesMin);
  for (std::size_t i = 0; i < count && in.ok(); ++i) {
    std::string name = in.Text();
    const std::size_t tiles = in.Count(Digest::kSize);
    const std::string_view leaves = in.Raw(tiles * Digest::kSize);
    if (!leaves_.empty() && name <= leaves_.rbegin()->first)
      in.Fail("the tensors are not in order");
    leaves_.emplace(std::move(name), leaves);
  }
  return in.Finish();
}

std::uint64_t TileFile::file_bytes() const { return file_->bytes().size(); }

Result<std::vector<TileLeaf>> TileFile::LeavesOf(const TensorView& view,
                                                 const TensorShape& shape) const {
  const auto root = roots_.find(view.name);
  const auto raw = leaves_.find(view.name);
  if (root == roots_.end() || raw == leaves_.end()) {
    return Damaged(
        "checking tensor \"" + view.name + "\": " +
        (root == roots_.end() ? "it was not imported" : "\"" + path_ + "\" does not list it"));
  }
  std::vector<TileLeaf> leaves;
  for (std::string_view rest = raw->second; !rest.empty(); rest.remove_prefix(Digest::kSize)) {
    EMEND_ASSIGN_OR_RETURN(const Digest digest, Digest::FromRaw(rest.substr(0, Digest::kSize)));
    leaves.push_back({leaves.size(), digest});
  }
  const Result<Digest> found = delta::TensorRoot(shape, leaves);
  if (!found.ok() || *found != root->second) {
    return Damaged("checking tensor \"" + view.name + "\": the tiles that \"" + path_ +
                   "\" lists do not give the digest that was recorded of a " +
                   std::string(DTypeName(view.dtype)) + " tensor of " + std::to_string(shape.rows) +
                   " x " + std::to_string(shape.cols));
  }
  return leaves;
}

Result<std::uint64_t> TileFile::Check(const TensorView& view,
                                      std::span<const TensorRange> ranges) const {
  const TensorShape shape = delta::Flatten(view.dtype, view.shape);
  EMEND_ASSIGN_OR_RETURN(const std::vector<TileLeaf> expected, LeavesOf(view, shape));
  std::uint64_t bytes_read = 0;
  for (const TensorRange& range : RangesOf(shape, TouchedTiles(shape, ranges))) {
    const std::vector<std::uint8_t> bytes = CopyRange(shape, view.bytes, range);
    EMEND_ASSIGN_OR_RETURN(const std::vector<TileLeaf> found,
                           delta::HashTiles(shape, range, bytes));
    for (const TileLeaf& leaf : found) {
      if (leaf.digest == expected[leaf.index].digest) continue;
      return Damaged("checking tensor \"" + view.name + "\" in \"" + view.file + "\": tile " +
                     std::to_string(leaf.index) + " of " + std::to_string(expected.size()) +
                     " is not what was imported");
    }
    bytes_read += bytes.size();
  }
  return bytes_read;
}

}  // namespace emend::storage::checkpoint
