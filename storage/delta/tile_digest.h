// The digest of a tensor: a Merkle root over fixed tiles, so that ranks hash their own tiles and
// the root does not depend on the sharding.
//
// A 2-D tensor [rows, cols] is cut into tiles of kTileRows × kTileCols (the last ones smaller),
// numbered row-major; a 1-D tensor is [1, n]; more dimensions are flattened to [dim0, rest]. Leaf =
// SHA-256(0x00 ‖ tile index u64 ‖ element bytes of the tile, row-major). Node = SHA-256(0x01 ‖ left
// ‖ right); an odd last node moves up as it is. Root = SHA-256(0x02 ‖ dtype u8 ‖ rows u64 ‖ cols
// u64 ‖ top); a tensor without elements has 32 zero bytes as top. Shards are cut at tile edges.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "storage/base/digest.h"
#include "storage/delta/dtype.h"
#include "storage/delta/ledger.h"

namespace emend::storage::delta {

inline constexpr std::uint64_t kTileRows = 64;
inline constexpr std::uint64_t kTileCols = 64;

struct TensorShape {
  DType dtype = DType::kF32;
  std::uint64_t rows = 0;
  std::uint64_t cols = 0;
};

// The shape under which a tensor of these dimensions is hashed; [1, 1] for a scalar. REQUIRES: the
// product of `dims` fits 64 bits.
TensorShape Flatten(DType dtype, std::span<const std::uint64_t> dims);

struct TileLeaf {
  std::uint64_t index = 0;
  Digest digest;
};

// The leaves of the tiles inside `range`, which must begin and end at tile edges (or at the
// tensor's). `bytes` are row-major elements of the range. kInvalidArgument if the range is not cut
// at tile edges or the byte count is wrong.
Result<std::vector<TileLeaf>> HashTiles(const TensorShape& shape, const TensorRange& range,
                                        std::span<const std::uint8_t> bytes);

// kInvalidArgument unless `leaves` (any order) are exactly the tensor's tiles.
Result<Digest> TensorRoot(const TensorShape& shape, std::vector<TileLeaf> leaves);

// Both at once for a whole tensor.
Result<Digest> HashTensor(const TensorShape& shape, std::span<const std::uint8_t> bytes);

}  // namespace emend::storage::delta
