#include "storage/checkpoint/statistics_file.h"

#include <algorithm>
#include <string_view>

#include "storage/base/digest.h"
#include "storage/base/encoding.h"
#include "storage/checkpoint/file_io.h"
#include "storage/checkpoint/safetensors.h"

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

struct Contents {
  std::string_view key;
  std::string_view digest;
  std::int64_t tokens = 0;
  std::vector<const TensorView*> layers;  // in order
};

// Empty, or what does not belong there.
std::string Sort(const std::vector<TensorView>& views, Contents& contents) {
  for (const TensorView& view : views) {
    if (view.name == "key") {
      contents.key = Text(view.bytes);
    } else if (view.name == "digest") {
      contents.digest = Text(view.bytes);
    } else if (view.name == "tokens" && view.bytes.size() == sizeof contents.tokens) {
      Decoder number(Text(view.bytes));
      contents.tokens = number.I64();
    } else if (view.name.starts_with(kLayerPrefix) && IsLayer(view)) {
      contents.layers.push_back(&view);
    } else {
      return view.name;
    }
  }
  return "";
}

Digest DigestOf(const Contents& contents) {
  std::vector<StatisticsLayer> layers;
  for (const TensorView* view : contents.layers) {
    layers.push_back({static_cast<std::int32_t>(std::stol(view->name.substr(kLayerPrefix.size()))),
                      static_cast<std::int64_t>(view->shape[0]), Sha256(Text(view->bytes))});
  }
  return StatisticsDigest(contents.key, contents.tokens, layers);
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

Status CheckStatisticsFile(const std::string& path) {
  const auto file = MappedFile::Open(path);
  if (file.status().code() == StatusCode::kNotFound) return BadFile(path, "it is missing");
  EMEND_RETURN_IF_ERROR(file.status());
  auto views = ParseSafetensors((*file)->bytes(), path);
  if (!views.ok()) return BadFile(path, views.status().message());
  std::ranges::sort(*views, {}, &TensorView::name);
  Contents contents;
  if (const std::string other = Sort(*views, contents); !other.empty())
    return BadFile(path, "found a tensor \"" + other + "\" that does not belong there");
  if (DigestOf(contents).Raw() != contents.digest)
    return BadFile(path, "its digest does not match its contents");
  return OkStatus();
}

}  // namespace emend::storage::checkpoint
