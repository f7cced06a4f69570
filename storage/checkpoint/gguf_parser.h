// The bytes of a GGUF file, read from front to end with every length, count and offset checked
// before it is used. Internal to storage/checkpoint; errors as gguf.h says.
#pragma once

#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "storage/base/status.h"
#include "storage/checkpoint/gguf.h"

namespace emend::storage::checkpoint {

class GgufParser {
 public:
  // Both must outlive it.
  GgufParser(std::span<const std::uint8_t> file, const std::string& name)
      : file_(file), name_(name) {}

  Status Read(std::map<std::string, GgufValue>& metadata, std::vector<GgufTensor>& tensors);
  static Status IsPart(const std::string& name);

 private:
  // Where a tensor lies, counted from the first.
  struct Placed {
    GgufTensor tensor;
    std::uint64_t offset = 0;
    std::uint64_t size = 0;
  };

  Status Refuse(const char* slug, const std::string& what) const;
  Status RefuseAsUnsupported(const char* slug, const std::string& what) const;
  std::uint64_t left() const { return file_.size() - at_; }

  // A little-endian number of `size` bytes; `what` names it.
  Result<std::uint64_t> Number(std::size_t size, const std::string& what);
  // A number of things of at least `bytes_each` bytes that follow.
  Result<std::uint64_t> Count(std::uint64_t bytes_each, const std::string& what);
  Result<std::string_view> Text(const std::string& what);
  Result<std::string> Name(const std::string& what);

  Status ReadVersion();
  Status ReadMetadata(std::uint64_t count, std::map<std::string, GgufValue>& metadata);
  Result<GgufValue> Value(std::uint64_t type, const std::string& key);
  Result<GgufArray> Array(const std::string& key);
  Result<Placed> Tensor();
  Status ReadShape(Placed& placed);
  Status Place(std::vector<Placed>& placed, std::uint64_t alignment,
               std::vector<GgufTensor>& tensors) const;

  const std::span<const std::uint8_t> file_;
  const std::string& name_;
  std::uint64_t at_ = 0;  // of the byte that is read next
};

}  // namespace emend::storage::checkpoint
