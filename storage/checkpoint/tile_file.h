// TileFile: the leaves of the digests of a checkpoint's tensors (storage/delta/tile_digest.h), so
// that whoever reads a part of a tensor can check that part alone.
//
//   // once, over whole tensors
//   EMEND_RETURN_IF_ERROR(WriteTileFile(path, leaves));
//   EMEND_ASSIGN_OR_RETURN(auto tiles, TileFile::Open(path, roots));
//   EMEND_RETURN_IF_ERROR(checkpoint->CheckWith(std::move(tiles)));
//   // of what is about to be read
//   EMEND_ASSIGN_OR_RETURN(const std::uint64_t bytes, checkpoint->tiles()->Check(view, ranges));
//
// It is derived data, made again from the tensors at will: leaves are believed only where they give
// the root that was recorded at import. A root covers dtype and shape too, so that a header that
// gives a tensor another one is noticed with the first tile that is read. Thread-safe. Whatever
// differs is kDataLoss ("base_damaged").
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "storage/base/digest.h"
#include "storage/base/status.h"
#include "storage/checkpoint/safetensors.h"
#include "storage/delta/tile_digest.h"

namespace emend::storage::checkpoint {

class MappedFile;

// By tensor; each tensor's in index order.
using TileLeaves = std::map<std::string, std::vector<delta::TileLeaf>>;

// Replaces what is there. kUnavailable (I/O), kResourceExhausted (no space).
Status WriteTileFile(const std::string& path, const TileLeaves& leaves);

class TileFile {
 public:
  // `roots`: the recorded digest of every tensor. kNotFound.
  static Result<std::unique_ptr<const TileFile>> Open(const std::string& path,
                                                      std::map<std::string, Digest> roots);
  ~TileFile();

  // Hashes the tiles of the tensor that these ranges touch, each once and whole; the bytes of those
  // tiles. Names the tensor and the tile that differs.
  Result<std::uint64_t> Check(const TensorView& view,
                              std::span<const delta::TensorRange> ranges) const;

  const std::map<std::string, Digest>& roots() const { return roots_; }
  std::uint64_t file_bytes() const;

 private:
  TileFile(std::string path, std::map<std::string, Digest> roots, std::unique_ptr<MappedFile> file);
  Status Decode();
  // Known to give the tensor's root.
  Result<std::vector<delta::TileLeaf>> LeavesOf(const TensorView& view,
                                                const delta::TensorShape& shape) const;

  const std::string path_;
  const std::map<std::string, Digest> roots_;
  const std::unique_ptr<MappedFile> file_;
  std::map<std::string, std::string_view, std::less<>> leaves_;  // raw digests, in the mapping
};

}  // namespace emend::storage::checkpoint
