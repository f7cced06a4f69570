// StreamSafetensors, StreamCheckpoint and WriteSafetensorsHole: a new checkpoint.
#include <algorithm>
#include <array>
#include <cstdio>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "storage/checkpoint/file_io.h"
#include "storage/checkpoint/safetensors.h"

namespace emend::storage::checkpoint {
namespace {

constexpr char kMetadataName[] = "__metadata__";
constexpr std::size_t kAlignment = 8;

// What the shape and type say.
Result<std::uint64_t> SizeOf(const TensorSource& tensor) {
  if (tensor.name == kMetadataName)
    return InvalidArgument(
        "writing a safetensors file: a tensor is named __metadata__, which the format reserves");
  std::uint64_t expected = delta::ElementBytes(tensor.dtype);
  for (const std::uint64_t dim : tensor.shape) {
    if (__builtin_mul_overflow(expected, dim, &expected))
      return InvalidArgument("writing tensor \"" + tensor.name +
                             "\": its shape's product overflows");
  }
  return expected;
}

struct Placed {
  const TensorSource* tensor = nullptr;
  std::uint64_t size = 0;
};

Status AppendTensor(AtomicFile& out, const Placed& placed) {
  std::uint64_t found = 0;
  const AppendBytes append = [&](std::span<const std::uint8_t> bytes) {
    found += bytes.size();
    return found <= placed.size ? out.Append(bytes) : OkStatus();
  };
  if (placed.tensor->parts) {
    EMEND_RETURN_IF_ERROR(placed.tensor->parts(append));
  } else {
    EMEND_ASSIGN_OR_RETURN(const std::vector<std::uint8_t> bytes, placed.tensor->bytes());
    EMEND_RETURN_IF_ERROR(append(bytes));
  }
  if (found == placed.size) return OkStatus();
  return InvalidArgument("writing tensor \"" + placed.tensor->name + "\": found " +
                         std::to_string(found) + " bytes, expected " + std::to_string(placed.size) +
                         " by dtype and shape");
}

// Offsets in the order given; ordered_json keeps the order of insertion, so the header lists
// tensors as the data does.
Result<std::string> MakeHeader(const std::vector<Placed>& tensors,
                               const std::map<std::string, std::string>& metadata) {
  try {
    nlohmann::ordered_json header = nlohmann::ordered_json::object();
    if (!metadata.empty()) header[kMetadataName] = metadata;
    std::uint64_t offset = 0;
    for (const Placed& placed : tensors) {
      nlohmann::ordered_json& entry = header[placed.tensor->name];
      entry["dtype"] = delta::DTypeName(placed.tensor->dtype);
      entry["shape"] = placed.tensor->shape;
      entry["data_offsets"] = {offset, offset + placed.size};
      offset += placed.size;
    }
    std::string text = header.dump();
    text.resize((text.size() + kAlignment - 1) / kAlignment * kAlignment, ' ');
    return text;
  } catch (const nlohmann::json::exception& error) {
    return InvalidArgument(
        std::string("writing a safetensors file: a name or metadata is not UTF-8: ") +
        error.what());
  }
}

std::span<const std::uint8_t> AsBytes(std::string_view text) {
  return {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()};
}

// A file as it will be: its tensors in order, and what comes before their bytes.
struct FilePlan {
  std::vector<Placed> tensors;
  std::string head;
};

Result<FilePlan> PlanFile(std::span<const TensorSource> tensors,
                          const std::map<std::string, std::string>& metadata) {
  std::vector<Placed> sorted;
  for (const TensorSource& tensor : tensors) {
    EMEND_ASSIGN_OR_RETURN(const std::uint64_t size, SizeOf(tensor));
    sorted.push_back({&tensor, size});
  }
  std::ranges::sort(sorted, {}, [](const Placed& placed) { return placed.tensor->name; });
  for (std::size_t i = 1; i < sorted.size(); ++i) {
    const std::string& name = sorted[i].tensor->name;
    if (name == sorted[i - 1].tensor->name)
      return InvalidArgument("writing a safetensors file: two tensors are named \"" + name + "\"");
  }
  EMEND_ASSIGN_OR_RETURN(const std::string header, MakeHeader(sorted, metadata));
  std::string head(8, '\0');
  for (std::size_t i = 0; i < head.size(); ++i)
    head[i] = static_cast<char>(header.size() >> (8 * i));
  return FilePlan{std::move(sorted), head + header};
}

// Tensors that follow each other and share a file.
struct FileShare {
  std::size_t begin = 0, count = 0;
  std::uint64_t bytes = 0;
};

Result<std::vector<FileShare>> ShareOut(std::span<const TensorSource> tensors,
                                        std::uint64_t file_bytes_max) {
  std::vector<FileShare> shares;
  for (std::size_t i = 0; i < tensors.size(); ++i) {
    EMEND_ASSIGN_OR_RETURN(const std::uint64_t size, SizeOf(tensors[i]));
    if (shares.empty() || size > file_bytes_max - std::min(file_bytes_max, shares.back().bytes))
      shares.push_back({.begin = i});
    ++shares.back().count;
    shares.back().bytes += size;
  }
  return shares;
}

std::string FileName(std::size_t number, std::size_t count) {
  std::array<char, 64> name{};
  static_cast<void>(
      std::snprintf(name.data(), name.size(), "model-%05zu-of-%05zu.safetensors", number, count));
  return name.data();
}

}  // namespace

Status StreamSafetensors(const std::string& path, std::span<const TensorSource> tensors,
                         const std::map<std::string, std::string>& metadata) {
  EMEND_ASSIGN_OR_RETURN(const FilePlan plan, PlanFile(tensors, metadata));
  EMEND_ASSIGN_OR_RETURN(const std::unique_ptr<AtomicFile> out, AtomicFile::Create(path));
  EMEND_RETURN_IF_ERROR(out->Append(AsBytes(plan.head)));
  for (const Placed& placed : plan.tensors) EMEND_RETURN_IF_ERROR(AppendTensor(*out, placed));
  EMEND_RETURN_IF_ERROR(out->Commit());
  const std::filesystem::path parent = std::filesystem::path(path).parent_path();
  return PosixFileSystem().SyncFolder(parent.empty() ? "." : parent.string());
}

Status StreamCheckpoint(const std::string& folder, std::span<const TensorSource> tensors,
                        const std::map<std::string, std::string>& metadata,
                        std::uint64_t file_bytes_max) {
  EMEND_ASSIGN_OR_RETURN(const std::vector<FileShare> shares, ShareOut(tensors, file_bytes_max));
  if (shares.size() <= 1)
    return StreamSafetensors(folder + "/model.safetensors", tensors, metadata);
  nlohmann::json index;
  std::uint64_t total = 0;
  for (std::size_t i = 0; i < shares.size(); ++i) {
    const std::string name = FileName(i + 1, shares.size());
    const auto own = tensors.subspan(shares[i].begin, shares[i].count);
    EMEND_RETURN_IF_ERROR(StreamSafetensors(folder + "/" + name, own, metadata));
    for (const TensorSource& tensor : own) index["weight_map"][tensor.name] = name;
    total += shares[i].bytes;
  }
  index["metadata"]["total_size"] = total;
  EMEND_ASSIGN_OR_RETURN(const auto out,
                         AtomicFile::Create(folder + "/model.safetensors.index.json"));
  EMEND_RETURN_IF_ERROR(out->Append(AsBytes(index.dump(2) + "\n")));
  EMEND_RETURN_IF_ERROR(out->Commit());
  return PosixFileSystem().SyncFolder(folder);
}

Status WriteSafetensorsHole(const std::string& path, std::span<const TensorSource> tensors,
                            const std::map<std::string, std::string>& metadata) {
  EMEND_ASSIGN_OR_RETURN(const FilePlan plan, PlanFile(tensors, metadata));
  std::uint64_t size = plan.head.size();
  for (const Placed& placed : plan.tensors) size += placed.size;
  EMEND_ASSIGN_OR_RETURN(const std::unique_ptr<AtomicFile> out, AtomicFile::Create(path));
  EMEND_RETURN_IF_ERROR(out->Append(AsBytes(plan.head)));
  EMEND_RETURN_IF_ERROR(out->Commit());
  std::error_code error;
  std::filesystem::resize_file(path, size, error);
  if (!error) return OkStatus();
  return Unavailable("making room in \"" + path + "\": " + error.message());
}

}  // namespace emend::storage::checkpoint
