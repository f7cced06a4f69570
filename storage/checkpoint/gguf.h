// GGUF files of versions 2 and 3, read by mmap: what they say of a model, and its tensors.
//
//   EMEND_ASSIGN_OR_RETURN(const GgufFile file, GgufFile::Open("/models/atlas.Q4_K_M.gguf"));
//   EMEND_ASSIGN_OR_RETURN(const auto layers, file.Integer("llama.block_count"));  // an optional
//   for (const GgufTensor& tensor : file.tensors()) tensor.ReadRow(0, values);
//
// A file is refused by name of the fault: kInvalidArgument ("gguf_too_short", "gguf_magic",
// "gguf_bad_count", "gguf_bad_text", "gguf_bad_type", "gguf_bad_alignment", "gguf_duplicate",
// "gguf_bad_shape", "gguf_bad_offset", "gguf_overlap"), kUnsupported ("gguf_big_endian",
// "gguf_version", "gguf_part" for one file of several, "gguf_nested_array", "unsupported_dtype").
// Messages name the file. Nothing is allocated beyond a constant factor of the file. Immutable and
// thread-safe; texts and tensors borrow the mapping and die with the GgufFile.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "storage/base/status.h"
#include "storage/checkpoint/file_io.h"
#include "storage/checkpoint/gguf_blocks.h"

namespace emend::storage::checkpoint {

// Of texts or of numbers: the other list is empty. Flags are 0 and 1; numbers beyond 2^53 are
// rounded.
struct GgufArray {
  std::vector<std::string_view> texts;
  std::vector<double> numbers;
};
// An integer beyond int64 is a double.
using GgufValue = std::variant<std::int64_t, double, bool, std::string_view, GgufArray>;

struct GgufTensor {
  std::string name;
  const GgufType* type = nullptr;
  std::vector<std::uint64_t> shape;     // outermost first, as safetensors; none is 0
  std::span<const std::uint8_t> bytes;  // in the mapping: rows of whole blocks

  std::uint64_t row_elements() const { return shape.back(); }
  std::uint64_t row_bytes() const {
    return row_elements() / type->block_elements * type->block_bytes;
  }
  std::uint64_t rows() const { return bytes.size() / row_bytes(); }
  // REQUIRES: row < rows(), values.size() == row_elements().
  void ReadRow(std::uint64_t row, std::span<float> values) const;
};

class GgufFile {
 public:
  // kNotFound, kUnavailable (I/O), and as above.
  static Result<GgufFile> Open(const std::string& path);
  // `bytes` must outlive it; `name` is what messages call the file.
  static Result<GgufFile> Parse(std::span<const std::uint8_t> bytes, std::string name);

  // Nothing if the key is not there; kInvalidArgument ("gguf_bad_value") if its value is another
  // kind. An integer is 0 or more, and a list of equal ones counts as one. A number is finite and
  // may be an integer; texts are UTF-8.
  Result<std::optional<std::int64_t>> Integer(const std::string& key) const;
  Result<std::optional<double>> Number(const std::string& key) const;
  Result<std::optional<bool>> Flag(const std::string& key) const;
  Result<std::optional<std::string_view>> Text(const std::string& key) const;
  // Null: not there.
  Result<const GgufArray*> Array(const std::string& key) const;
  // kInvalidArgument ("gguf_bad_value"): "FILE: KEY: " and what is wrong with it.
  Status BadValue(const std::string& key, const std::string& what) const;

  const std::map<std::string, GgufValue>& metadata() const { return metadata_; }
  // In the order of their bytes.
  const std::vector<GgufTensor>& tensors() const { return tensors_; }
  // Null: no tensor has this name.
  const GgufTensor* Find(std::string_view name) const;
  const std::string& name() const { return name_; }

 private:
  explicit GgufFile(std::string name) : name_(std::move(name)) {}
  template <typename T>
  Result<std::optional<T>> As(const std::string& key, const char* expected) const;

  std::string name_;
  std::unique_ptr<const MappedFile> mapping_;  // null: the bytes are the caller's
  std::map<std::string, GgufValue> metadata_;
  std::vector<GgufTensor> tensors_;
};

}  // namespace emend::storage::checkpoint
