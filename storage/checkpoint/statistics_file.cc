#include "storage/checkpoint/statistics_file.h"

#include <algorithm>

#include "storage/base/encoding.h"

namespace emend::storage::checkpoint {
namespace {

constexpr std::uint16_t kStatisticsVersion = 1;
constexpr std::string_view kLayerPrefix = "layer.";
constexpr std::size_t kLayerDigits = 5;

Status BadFile(const std::string& path, const std::string& what) {
  return {StatusCode::kDataLoss, "bad_statistics",
          "statistics file " + path + ": " + what + "; take the statistics again"};
}

std::string_view Text(std::span<const std::uint8_t> bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

bool IsLayer(const TensorView& view) {
  const std::string_view digits = std::string_view(view.name).substr(kLayerPrefix.size());
  return digits.size() == kLayerDigits &&
         digits.find_first_not_of("0123456789") == std::string_view::npos &&
         view.dtype == delta::DType::kF64 && view.shape.size() == 2 &&
         view.shape[0] == view.shape[1];
}

}  // namespace

Digest StatisticsDigest(std::string_view key, std::int64_t tokens,
                        const std::vector<StatisticsLayer>& layers) {
  Encoder out(RecordType::kStatisticsFile, kStatisticsVersion);
  out.Text(key);
  out.I64(tokens);
  out.Count(layers.size());
  for (const StatisticsLayer& layer : layers) {
    out.U32(static_cast<std::uint32_t>(layer.layer));
    out.I64(layer.size);
    out.Raw(layer.digest.Raw());
  }
  return Sha256(out.bytes());
}

std::string StatisticsLayerName(std::int32_t layer) {
  const std::string number = std::to_string(layer);
  return std::string(kLayerPrefix) +
         std::string(kLayerDigits - std::min(kLayerDigits, number.size()), '0') + number;
}

Result<StatisticsFile> OpenStatisticsFile(const std::string& path) {
  StatisticsFile file;
  file.path = path;
  EMEND_ASSIGN_OR_RETURN(file.mapped, MappedFile::Open(path));
  const auto views = ParseSafetensors(file.mapped->bytes(), path);
  if (!views.ok()) return BadFile(path, views.status().message());
  for (const TensorView& view : *views) {
    if (view.name == "key") {
      file.key = Text(view.bytes);
    } else if (view.name == "digest") {
      file.digest = Text(view.bytes);
    } else if (view.name == "tokens" && view.bytes.size() == sizeof file.tokens) {
      file.tokens = Decoder(Text(view.bytes)).I64();
    } else if (view.name.starts_with(kLayerPrefix) && IsLayer(view)) {
      file.layers.emplace(std::stoi(view.name.substr(kLayerPrefix.size())), view);
    } else {
      return BadFile(path, "found a tensor \"" + view.name + "\" that does not belong there");
    }
  }
  return file;
}

Status StatisticsFile::Check(const std::vector<StatisticsLayer>& hashed) const {
  if (StatisticsDigest(key, tokens, hashed).Raw() == digest) return OkStatus();
  return BadFile(path, "its digest does not match its contents");
}

Status CheckStatisticsFile(const std::string& path) {
  const auto file = OpenStatisticsFile(path);
  if (file.status().code() == StatusCode::kNotFound) return BadFile(path, "it is missing");
  EMEND_RETURN_IF_ERROR(file.status());
  std::vector<StatisticsLayer> hashed;
  for (const auto& [layer, view] : file->layers)
    hashed.push_back({layer, static_cast<std::int64_t>(view.shape[0]), Sha256(Text(view.bytes))});
  return file->Check(hashed);
}

}  // namespace emend::storage::checkpoint
