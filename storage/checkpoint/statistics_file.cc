#include "storage/checkpoint/statistics_file.h"

#include <algorithm>
#include <cstring>
#include <optional>

#include "storage/base/encoding.h"

namespace emend::storage::checkpoint {
namespace {

constexpr std::uint16_t kStatisticsVersion = 1;
constexpr std::string_view kLayerPrefix = "layer.", kPassedPrefix = "passed.";
constexpr std::size_t kLayerDigits = 5;

Status BadFile(const std::string& path, const std::string& what) {
  return {StatusCode::kDataLoss, "bad_statistics",
          "statistics file " + path + ": " + what + "; take the statistics again"};
}

std::string_view Text(std::span<const std::uint8_t> bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

std::string NameOf(std::string_view prefix, std::int32_t layer) {
  const std::string number = std::to_string(layer);
  return std::string(prefix) +
         std::string(kLayerDigits - std::min(kLayerDigits, number.size()), '0') + number;
}

// The layer that a name with this prefix says.
std::optional<std::int32_t> LayerOf(const TensorView& view, std::string_view prefix) {
  if (!view.name.starts_with(prefix)) return std::nullopt;
  const std::string digits = view.name.substr(prefix.size());
  const bool is_number =
      digits.size() == kLayerDigits && digits.find_first_not_of("0123456789") == std::string::npos;
  return is_number ? std::optional(std::stoi(digits)) : std::nullopt;
}

bool IsMatrix(const TensorView& view) {
  const std::size_t dimensions = view.shape.size();
  return view.dtype == delta::DType::kF64 && (dimensions == 2 || dimensions == 3) &&
         view.shape[dimensions - 2] == view.shape[dimensions - 1];
}

bool IsCounts(const TensorView& view) {
  return view.dtype == delta::DType::kI64 && view.shape.size() == 1;
}

std::vector<std::int64_t> CountsOf(const TensorView& view) {
  std::vector<std::int64_t> counts(view.shape[0]);
  std::memcpy(counts.data(), view.bytes.data(), view.bytes.size());
  return counts;
}

// One count for each expert's matrix, and none where there is one matrix alone.
bool HasItsCounts(const TensorView& layer, const std::vector<std::int64_t>* counts) {
  if (layer.shape.size() == 2) return counts == nullptr;
  return counts != nullptr && counts->size() == layer.shape[0];
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
  for (const StatisticsLayer& layer : layers) {
    if (layer.passed.empty()) continue;
    out.U32(static_cast<std::uint32_t>(layer.layer));
    out.Count(layer.passed.size());
    for (const std::int64_t passed : layer.passed) out.I64(passed);
  }
  return Sha256(out.bytes());
}

std::string StatisticsLayerName(std::int32_t layer) { return NameOf(kLayerPrefix, layer); }
std::string StatisticsPassedName(std::int32_t layer) { return NameOf(kPassedPrefix, layer); }

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
    } else if (const auto layer = LayerOf(view, kLayerPrefix); layer && IsMatrix(view)) {
      file.layers.emplace(*layer, view);
    } else if (const auto counted = LayerOf(view, kPassedPrefix); counted && IsCounts(view)) {
      file.passed.emplace(*counted, CountsOf(view));
    } else {
      return BadFile(path, "found a tensor \"" + view.name + "\" that does not belong there");
    }
  }
  for (const auto& [layer, view] : file.layers) {
    const auto counts = file.passed.find(layer);
    if (!HasItsCounts(view, counts == file.passed.end() ? nullptr : &counts->second))
      return BadFile(path, "layer " + std::to_string(layer) + " has no count of each expert");
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
  for (const auto& [layer, view] : file->layers) {
    const auto counts = file->passed.find(layer);
    hashed.push_back({layer, static_cast<std::int64_t>(view.shape.back()), Sha256(Text(view.bytes)),
                      counts == file->passed.end() ? std::vector<std::int64_t>() : counts->second});
  }
  return file->Check(hashed);
}

}  // namespace emend::storage::checkpoint
