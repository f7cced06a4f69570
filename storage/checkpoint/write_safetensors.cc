// WriteSafetensors: a new single-file checkpoint.
#include <algorithm>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "storage/checkpoint/file_io.h"
#include "storage/checkpoint/safetensors.h"

namespace emend::storage::checkpoint {
namespace {

constexpr char kMetadataName[] = "__metadata__";
constexpr std::size_t kAlignment = 8;

Status CheckTensor(const NewTensor& tensor) {
  if (tensor.name == kMetadataName) return InvalidArgument("writing a safetensors file: a tensor is named __metadata__, which the format reserves");
  std::uint64_t expected = delta::ElementBytes(tensor.dtype);
  for (const std::uint64_t dim : tensor.shape) {
    if (__builtin_mul_overflow(expected, dim, &expected)) return InvalidArgument("writing tensor \"" + tensor.name + "\": its shape's product overflows");
  }
  if (expected == tensor.bytes.size()) return OkStatus();
  return InvalidArgument("writing tensor \"" + tensor.name + "\": found " + std::to_string(tensor.bytes.size()) + " bytes, expected " +
                         std::to_string(expected) + " by dtype and shape");
}

// Offsets in the order given; ordered_json keeps the order of insertion, so the header lists tensors as the data does.
Result<std::string> MakeHeader(const std::vector<const NewTensor*>& tensors, const std::map<std::string, std::string>& metadata) {
  try {
    nlohmann::ordered_json header = nlohmann::ordered_json::object();
    if (!metadata.empty()) header[kMetadataName] = metadata;
    std::uint64_t offset = 0;
    for (const NewTensor* tensor : tensors) {
      nlohmann::ordered_json& entry = header[tensor->name];
      entry["dtype"] = delta::DTypeName(tensor->dtype);
      entry["shape"] = tensor->shape;
      entry["data_offsets"] = {offset, offset + tensor->bytes.size()};
      offset += tensor->bytes.size();
    }
    std::string text = header.dump();
    text.resize((text.size() + kAlignment - 1) / kAlignment * kAlignment, ' ');
    return text;
  } catch (const nlohmann::json::exception& error) {
    return InvalidArgument(std::string("writing a safetensors file: a name or metadata is not UTF-8: ") + error.what());
  }
}

std::span<const std::uint8_t> AsBytes(std::string_view text) { return {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()}; }

}  // namespace

Status WriteSafetensors(const std::string& path, std::span<const NewTensor> tensors, const std::map<std::string, std::string>& metadata) {
  std::vector<const NewTensor*> sorted;
  for (const NewTensor& tensor : tensors) {
    EMEND_RETURN_IF_ERROR(CheckTensor(tensor));
    sorted.push_back(&tensor);
  }
  std::sort(sorted.begin(), sorted.end(), [](const NewTensor* x, const NewTensor* y) { return x->name < y->name; });
  for (std::size_t i = 1; i < sorted.size(); ++i) {
    if (sorted[i]->name == sorted[i - 1]->name) return InvalidArgument("writing a safetensors file: two tensors are named \"" + sorted[i]->name + "\"");
  }
  EMEND_ASSIGN_OR_RETURN(const std::string header, MakeHeader(sorted, metadata));
  std::string length(8, '\0');
  for (std::size_t i = 0; i < length.size(); ++i) length[i] = static_cast<char>(header.size() >> (8 * i));

  EMEND_ASSIGN_OR_RETURN(const std::unique_ptr<AtomicFile> out, AtomicFile::Create(path));
  EMEND_RETURN_IF_ERROR(out->Append(AsBytes(length)));
  EMEND_RETURN_IF_ERROR(out->Append(AsBytes(header)));
  for (const NewTensor* tensor : sorted) EMEND_RETURN_IF_ERROR(out->Append(tensor->bytes));
  EMEND_RETURN_IF_ERROR(out->Commit());
  const std::filesystem::path parent = std::filesystem::path(path).parent_path();
  return SyncFolder(parent.empty() ? "." : parent.string());
}

}  // namespace emend::storage::checkpoint
