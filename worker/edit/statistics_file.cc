// The file of SaveStatistics and LoadStatistics: safetensors with "layer.00004" F64 [d_ff, d_ff], "tokens" I64 [1], "key" U8 and "digest" U8 [32].
// The digest is a SHA-256 over a kStatistics record: key, tokens, and each layer with its size and the SHA-256 of its bytes.
#include <ATen/ATen.h>

#include <cstring>
#include <utility>

#include "storage/base/encoding.h"
#include "storage/base/file_system.h"
#include "storage/checkpoint/safetensors.h"
#include "worker/edit/statistics.h"
#include "worker/model/guard.h"

namespace emend::worker::edit {
namespace {

using storage::checkpoint::NewTensor;
using storage::checkpoint::TensorView;
using storage::delta::DType;

constexpr std::uint16_t kVersion = 1;
constexpr std::string_view kLayerPrefix = "layer.";
constexpr std::size_t kLayerDigits = 5;

Status BadFile(const std::string& path, const std::string& what) {
  return {StatusCode::kDataLoss, "bad_statistics", "statistics file " + path + ": " + what + "; take the statistics again"};
}

std::string_view Bytes(std::span<const std::uint8_t> bytes) { return {reinterpret_cast<const char*>(bytes.data()), bytes.size()}; }

std::span<const std::uint8_t> MatrixBytes(const at::Tensor& matrix) {
  return {static_cast<const std::uint8_t*>(matrix.const_data_ptr()), static_cast<std::size_t>(matrix.nbytes())};
}

Digest DigestOf(const Statistics& statistics, const std::string& key) {
  Encoder out(RecordType::kStatistics, kVersion);
  out.Text(key);
  out.I64(statistics.tokens);
  out.Count(statistics.covariance.size());
  for (const auto& [layer, matrix] : statistics.covariance) {
    out.U32(static_cast<std::uint32_t>(layer.value()));
    out.I64(matrix.size(0));
    out.Raw(Sha256(Bytes(MatrixBytes(matrix))).Raw());
  }
  return Sha256(out.bytes());
}

NewTensor ByteTensor(std::string name, std::string_view bytes) {
  return {std::move(name), DType::kU8, {bytes.size()}, std::vector<std::uint8_t>(bytes.begin(), bytes.end())};
}

NewTensor LayerTensor(LayerIndex layer, const at::Tensor& matrix) {
  const std::string number = std::to_string(layer.value());
  const auto size = static_cast<std::uint64_t>(matrix.size(0));
  const std::span<const std::uint8_t> bytes = MatrixBytes(matrix);
  return {std::string(kLayerPrefix) + std::string(kLayerDigits - std::min(kLayerDigits, number.size()), '0') + number,
          DType::kF64,
          {size, size},
          std::vector<std::uint8_t>(bytes.begin(), bytes.end())};
}

Result<std::pair<LayerIndex, at::Tensor>> ReadLayer(const TensorView& view, const std::string& path) {
  const std::string digits = view.name.substr(kLayerPrefix.size());
  if (digits.size() != kLayerDigits || digits.find_first_not_of("0123456789") != std::string::npos || view.dtype != DType::kF64 || view.shape.size() != 2 ||
      view.shape[0] != view.shape[1]) {
    return BadFile(path, "tensor \"" + view.name + "\" is not the covariance of a layer");
  }
  at::Tensor matrix = at::empty({static_cast<std::int64_t>(view.shape[0]), static_cast<std::int64_t>(view.shape[1])}, at::kDouble);
  std::memcpy(matrix.mutable_data_ptr(), view.bytes.data(), view.bytes.size());
  return std::pair(LayerIndex(std::stoi(digits)), std::move(matrix));
}

struct StoredStatistics {
  Statistics statistics;
  std::string key;
  std::string digest;
};

Result<StoredStatistics> ReadTensors(const std::vector<TensorView>& views, const std::string& path) {
  StoredStatistics stored;
  for (const TensorView& view : views) {
    if (view.name == "key") {
      stored.key = Bytes(view.bytes);
    } else if (view.name == "digest") {
      stored.digest = Bytes(view.bytes);
    } else if (view.name == "tokens" && view.bytes.size() == sizeof(std::int64_t)) {
      std::memcpy(&stored.statistics.tokens, view.bytes.data(), sizeof(std::int64_t));
    } else if (view.name.starts_with(kLayerPrefix)) {
      EMEND_ASSIGN_OR_RETURN(auto layer, ReadLayer(view, path));
      stored.statistics.covariance.insert(std::move(layer));
    } else {
      return BadFile(path, "found a tensor \"" + view.name + "\" that does not belong there");
    }
  }
  return stored;
}

Result<Statistics> Load(const std::string& path, const std::string& key) {
  PosixFileSystem file_system;
  EMEND_ASSIGN_OR_RETURN(const std::string file, file_system.Read(path));
  auto views = storage::checkpoint::ParseSafetensors({reinterpret_cast<const std::uint8_t*>(file.data()), file.size()}, path);
  if (!views.ok()) return BadFile(path, views.status().message());
  EMEND_ASSIGN_OR_RETURN(StoredStatistics stored, ReadTensors(*views, path));
  if (DigestOf(stored.statistics, stored.key).Raw() != stored.digest) return BadFile(path, "its digest does not match its contents");
  if (!key.empty() && stored.key != key) {
    return Status(StatusCode::kFailedPrecondition, "other_statistics",
                  "statistics file " + path + ": was taken for \"" + stored.key + "\", expected \"" + key + "\"; take statistics for this model and corpus");
  }
  return std::move(stored.statistics);
}

}  // namespace

Status SaveStatistics(const Statistics& statistics, const std::string& key, const std::string& path) {
  return model::Guarded("saving key statistics", [&]() -> Status {
    Statistics dense{.covariance = {}, .tokens = statistics.tokens};
    for (const auto& [layer, matrix] : statistics.covariance) dense.covariance[layer] = matrix.to(at::kCPU, at::kDouble).contiguous();
    const Digest digest = DigestOf(dense, key);
    std::vector<NewTensor> tensors;
    for (const auto& [layer, matrix] : dense.covariance) tensors.push_back(LayerTensor(layer, matrix));
    tensors.push_back(ByteTensor("digest", digest.Raw()));
    tensors.push_back(ByteTensor("key", key));
    const auto* token_bytes = reinterpret_cast<const std::uint8_t*>(&dense.tokens);
    tensors.push_back({"tokens", DType::kI64, {1}, std::vector<std::uint8_t>(token_bytes, token_bytes + sizeof(dense.tokens))});
    return storage::checkpoint::WriteSafetensors(path, tensors, {{"digest", digest.Hex()}, {"format", "emend-statistics-1"}, {"key", key}});
  });
}

Result<Statistics> LoadStatistics(const std::string& path, const std::string& key) {
  return model::Guarded("loading key statistics", [&] { return Load(path, key); });
}

}  // namespace emend::worker::edit
