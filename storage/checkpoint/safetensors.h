// Safetensors files and sharded checkpoints, read by mmap and written without libtorch.
//
//   // one file, or model.safetensors.index.json and its parts
//   EMEND_ASSIGN_OR_RETURN(auto checkpoint, Checkpoint::Open("/models/atlas"));
//   EMEND_ASSIGN_OR_RETURN(TensorView view, checkpoint->Find("transformer.wte.weight"));
//
// A file is refused by name of the fault (slugs in docs/reference/formats.md): header longer than
// 100 MB or than the file, not an object, duplicate or unknown fields, unknown dtype, a negative or
// fractional number, a shape whose product overflows, offsets reversed, overlapping, with holes,
// past the end, or not equal to dtype × shape. An index that names a missing file or tensor, or
// misses one, is refused too. Thread-safe once open and given its tiles. The views borrow the
// mapping and die with the Checkpoint.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "storage/base/file_system.h"
#include "storage/base/status.h"
#include "storage/checkpoint/model_files.h"
#include "storage/delta/dtype.h"

namespace emend::storage::checkpoint {

struct TensorView {
  std::string name;
  delta::DType dtype = delta::DType::kF32;
  std::vector<std::uint64_t> shape;
  std::span<const std::uint8_t> bytes;  // row-major, little-endian, in the mapping
  std::string file;                     // file name within the checkpoint's folder
  std::uint64_t file_offset = 0;        // where `bytes` begin in that file
};

// Parses the header of one safetensors file held in memory; what Checkpoint uses, and what the fuzz
// tests call. Views are sorted by offset.
Result<std::vector<TensorView>> ParseSafetensors(std::span<const std::uint8_t> file,
                                                 const std::string& file_name);

class TileFile;

class Checkpoint {
 public:
  // `folder` holds model.safetensors, or model.safetensors.index.json and its parts. kNotFound,
  // kInvalidArgument (malformed), kUnavailable (I/O).
  static Result<std::unique_ptr<Checkpoint>> Open(const std::string& folder);
  ~Checkpoint();

  // Sorted by name.
  const std::map<std::string, TensorView>& tensors() const { return tensors_; }
  // kNotFound names the tensor and the folder.
  Result<TensorView> Find(std::string_view name) const;
  // The safetensors files, in the index's order; ListModelFiles tells of the rest of
  // the folder.
  const std::vector<std::string>& files() const { return files_; }
  const std::string& folder() const { return folder_; }
  // The index's name, empty for a single file.
  const std::string& index_file() const { return index_file_; }

  // From now on what is read of the tensors can be checked, by whoever reads it. kDataLoss
  // ("base_damaged") if the tensors are not those that were imported.
  Status CheckWith(std::unique_ptr<const TileFile> tiles);
  // Null: nothing to check with.
  const TileFile* tiles() const { return tiles_.get(); }

 private:
  class Mapping;
  Checkpoint() = default;
  std::string folder_;
  std::vector<std::unique_ptr<Mapping>> mappings_;
  std::map<std::string, TensorView> tensors_;
  std::vector<std::string> files_;
  std::unique_ptr<const TileFile> tiles_;
  std::string index_file_;
};

// New bytes for a tensor of a checkpoint; same size as the old.
struct Replacement {
  std::string tensor;
  std::vector<std::uint8_t> bytes;
};

struct ExportTarget {
  std::string folder;  // absolute, without links
  // names this export for good: what a run that was killed has left is known by it (WorkFolder)
  std::string owner;
};

// Copies the model's files (ListModelFiles), with these tensors' bytes replaced in place. Headers,
// padding and every other file stay byte for byte; without replacements the copies are identical.
// Says what was copied, and what of the folder was left out.
//
// A new folder appears whole or not at all, those above it that are missing with it. An empty one
// is filled, and keeps its owner and mode; its files appear one after another, each whole, weights
// last. Nothing is removed or replaced that this export did not make, and a failure leaves nothing.
// A folder that holds the very same already is left as it is: an export that is run again has
// succeeded. kInvalidArgument on a wrong size or name, kAlreadyExists ("folder_not_empty"),
// kResourceExhausted (no space).
Result<ModelFiles> ExportCheckpoint(FileSystem& files, const Checkpoint& checkpoint,
                                    std::span<const Replacement> replacements,
                                    const ExportTarget& target);

// Where an export to `folder` writes first: itself, or the nearest folder above it that is there.
// kAlreadyExists ("folder_not_empty") if a file or a link that leads nowhere is in the way.
Result<std::string> ExportWorkPlace(FileSystem& files, const std::string& folder);

// What of an export to `folder` can be refused beforehand: kAlreadyExists ("folder_not_empty") if
// it holds something that is none of these files.
Status CheckExportFolder(FileSystem& files, const std::string& folder,
                         const std::set<std::string>& names);

using AppendBytes = std::function<Status(std::span<const std::uint8_t> bytes)>;
// A tensor whose bytes are made when it is its turn to be written.
struct TensorSource {
  std::string name;
  delta::DType dtype = delta::DType::kF32;
  std::vector<std::uint64_t> shape;
  std::function<Result<std::vector<std::uint8_t>>()> bytes;  // called once, in name order
  // In its place, for one that need not be in memory whole: hands over the bytes part by part.
  std::function<Status(const AppendBytes& append)> parts = {};
};
// A new single-file checkpoint: tensors in name order, header padded with spaces to 8 bytes.
Status StreamSafetensors(const std::string& path, std::span<const TensorSource> tensors,
                         const std::map<std::string, std::string>& metadata);
// A new sharded one in a folder: model-00001-of-0000N.safetensors, the tensors in the order given
// and as many to a file as `file_bytes_max` has room for, one at least, and the index. What would
// be one file is model.safetensors.
Status StreamCheckpoint(const std::string& folder, std::span<const TensorSource> tensors,
                        const std::map<std::string, std::string>& metadata,
                        std::uint64_t file_bytes_max);
// As StreamSafetensors, with a hole where the tensors' bytes would be, which takes no room on the
// disk: for who asks a folder for names and shapes before there are weights.
Status WriteSafetensorsHole(const std::string& path, std::span<const TensorSource> tensors,
                            const std::map<std::string, std::string>& metadata);

}  // namespace emend::storage::checkpoint
