// StreamSafetensors and WriteSafetensorsHole: a new single-file checkpoint.
#include <algorithm>
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
  EMEND_ASSIGN_OR_RETURN(const std::vector<std::uint8_t> bytes, placed.tensor->bytes());
  if (bytes.size() == placed.size) return out.Append(bytes);
  return InvalidArgument("writing tensor \"" + placed.tensor->name + "\": found " +
                         std::to_string(bytes.size()) + " bytes, expected " +
                         std::to_string(placed.size) + " by dtype and shape");
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
