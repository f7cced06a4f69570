// The file of SaveStatistics and LoadStatistics: safetensors with "layer.00004" F64 [d_ff, d_ff],
// or [experts, d_ff, d_ff] and "passed.00004" I64 [experts], "tokens" I64 [1], "key" U8 and
// "digest" U8 [32]. The digest is a SHA-256 over a kStatistics record: key, tokens, and each layer
// with its size and the SHA-256 of its bytes; then the counts of layers with experts.
#include <ATen/ATen.h>

#include <algorithm>
#include <cstring>
#include <utility>

#include "storage/checkpoint/statistics_file.h"
#include "worker/collective/exchange.h"
#include "worker/edit/statistics.h"
#include "worker/model/guard.h"

namespace emend::worker::edit {
namespace {

using storage::checkpoint::StatisticsFile;
using storage::checkpoint::StatisticsLayer;
using storage::checkpoint::StatisticsLayerName;
using storage::checkpoint::StatisticsPassedName;
using storage::checkpoint::TensorSource;
using storage::checkpoint::TensorView;
using storage::delta::DType;

std::string_view Bytes(std::span<const std::uint8_t> bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

std::span<const std::uint8_t> MatrixBytes(const at::Tensor& matrix) {
  return {static_cast<const std::uint8_t*>(matrix.const_data_ptr()),
          static_cast<std::size_t>(matrix.nbytes())};
}

// Each rank hashes the layers that it holds. In the layers' order.
Result<std::vector<StatisticsLayer>> HashLayers(const Statistics& statistics,
                                                collective::Communicator& communicator) {
  std::string own;
  at::Tensor sizes = at::zeros({static_cast<std::int64_t>(statistics.holders.size())}, at::kLong);
  for (const auto& [layer, matrix] : statistics.covariance) {
    own += Sha256(Bytes(MatrixBytes(matrix))).Raw();
    const auto place = std::distance(statistics.holders.begin(), statistics.holders.find(layer));
    sizes[place] = matrix.size(-1);
  }
  EMEND_RETURN_IF_ERROR(communicator.AllReduceMax(sizes));
  EMEND_ASSIGN_OR_RETURN(const std::vector<std::string> all,
                         collective::AllGatherBytes(communicator, own));
  std::vector<StatisticsLayer> layers;
  std::vector<std::size_t> taken(all.size());
  for (const auto& [layer, holder] : statistics.holders) {
    const std::size_t rank = static_cast<std::size_t>(holder);
    const std::string raw = all[rank].substr(taken[rank], Digest::kSize);
    taken[rank] += Digest::kSize;
    EMEND_ASSIGN_OR_RETURN(const Digest digest, Digest::FromRaw(raw));
    const std::int64_t size = sizes[static_cast<std::int64_t>(layers.size())].item<std::int64_t>();
    const auto passed = statistics.passed.find(layer);
    layers.push_back(
        {layer.value(), size, digest,
         passed == statistics.passed.end() ? std::vector<std::int64_t>() : passed->second});
  }
  return layers;
}

TensorSource ByteTensor(std::string name, std::string_view bytes) {
  return {std::move(name),
          DType::kU8,
          {bytes.size()},
          [kept = std::vector<std::uint8_t>(bytes.begin(), bytes.end())] { return kept; }};
}

TensorSource CountTensor(std::string name, const std::vector<std::int64_t>& counts) {
  const auto* const bytes = reinterpret_cast<const std::uint8_t*>(counts.data());
  return {std::move(name),
          DType::kI64,
          {counts.size()},
          [kept = std::vector<std::uint8_t>(bytes, bytes + counts.size() * sizeof(std::int64_t))] {
            return kept;
          }};
}

template <typename Size>
std::vector<Size> ShapeOf(const StatisticsLayer& layer) {
  const auto size = static_cast<Size>(layer.size);
  if (layer.passed.empty()) return {size, size};
  return {static_cast<Size>(layer.passed.size()), size, size};
}

// Passes the layers, one after the other, from where they are held to all ranks.
class LayerPasser {
 public:
  LayerPasser(const Statistics& statistics, const std::vector<StatisticsLayer>& layers,
              collective::Communicator& communicator)
      : statistics_(statistics),
        layers_(layers),
        communicator_(communicator),
        next_(statistics.holders.begin()) {}

  bool done() const { return next_ == statistics_.holders.end(); }
  // In ascending order.
  Result<at::Tensor> Next() {
    const auto [layer, holder] = *next_++;
    const auto own = statistics_.covariance.find(layer);
    const std::vector<std::int64_t> shape = ShapeOf<std::int64_t>(layers_[passed_++]);
    at::Tensor matrix =
        own != statistics_.covariance.end() ? own->second : at::empty(shape, at::kDouble);
    EMEND_RETURN_IF_ERROR(communicator_.Broadcast(matrix, holder));
    return matrix;
  }

 private:
  const Statistics& statistics_;
  const std::vector<StatisticsLayer>& layers_;
  std::size_t passed_ = 0;
  collective::Communicator& communicator_;
  std::map<LayerIndex, int>::const_iterator next_;
};

Status Write(const Statistics& statistics, const std::string& key, const std::string& path,
             const std::vector<StatisticsLayer>& layers, LayerPasser& passer) {
  const Digest digest = storage::checkpoint::StatisticsDigest(key, statistics.tokens, layers);
  std::vector<TensorSource> tensors;
  for (const StatisticsLayer& layer : layers) {
    tensors.push_back({StatisticsLayerName(layer.layer), DType::kF64, ShapeOf<std::uint64_t>(layer),
                       [&passer]() -> Result<std::vector<std::uint8_t>> {
                         EMEND_ASSIGN_OR_RETURN(const at::Tensor matrix, passer.Next());
                         const std::span<const std::uint8_t> bytes = MatrixBytes(matrix);
                         return std::vector<std::uint8_t>(bytes.begin(), bytes.end());
                       }});
  }
  for (const StatisticsLayer& layer : layers) {
    if (!layer.passed.empty())
      tensors.push_back(CountTensor(StatisticsPassedName(layer.layer), layer.passed));
  }
  tensors.push_back(ByteTensor("digest", digest.Raw()));
  tensors.push_back(ByteTensor("key", key));
  tensors.push_back(CountTensor("tokens", {statistics.tokens}));
  return storage::checkpoint::StreamSafetensors(
      path, tensors, {{"digest", digest.Hex()}, {"format", "emend-statistics-1"}, {"key", key}});
}

at::Tensor CopyMatrix(const TensorView& view) {
  const std::vector<std::int64_t> shape(view.shape.begin(), view.shape.end());
  at::Tensor matrix = at::empty(shape, at::kDouble);
  std::memcpy(matrix.mutable_data_ptr(), view.bytes.data(), view.bytes.size());
  return matrix;
}

// Takes the layers that are dealt to `rank`, and reads no others.
Statistics Take(const StatisticsFile& file, int rank, int ranks) {
  Statistics statistics{.covariance = {}, .tokens = file.tokens};
  for (const auto& [layer, view] : file.layers) {
    const int holder = static_cast<int>(statistics.holders.size()) % ranks;
    statistics.holders[LayerIndex(layer)] = holder;
    if (holder == rank) statistics.covariance[LayerIndex(layer)] = CopyMatrix(view);
  }
  for (const auto& [layer, counts] : file.passed) statistics.passed[LayerIndex(layer)] = counts;
  return statistics;
}

Result<Statistics> Load(const std::string& path, const std::string& key,
                        collective::Communicator& communicator) {
  const auto file = storage::checkpoint::OpenStatisticsFile(path);
  EMEND_RETURN_IF_ERROR(collective::AgreeOn(communicator, file.status()));
  Statistics statistics = Take(*file, communicator.rank(), communicator.size());
  EMEND_ASSIGN_OR_RETURN(const std::vector<StatisticsLayer> layers,
                         HashLayers(statistics, communicator));
  EMEND_RETURN_IF_ERROR(file->Check(layers));
  if (!key.empty() && file->key != key) {
    return Status(StatusCode::kFailedPrecondition, "other_statistics",
                  "statistics file " + path + ": was taken for \"" + file->key + "\", expected \"" +
                      key + "\"; take statistics for this model and corpus");
  }
  return statistics;
}

Status Save(const Statistics& statistics, const std::string& key, const std::string& path,
            collective::Communicator& communicator) {
  Statistics dense = statistics;
  for (auto& [layer, matrix] : dense.covariance) {
    matrix = matrix.to(at::kCPU, at::kDouble).contiguous();
    dense.holders.try_emplace(layer, communicator.rank());
  }
  EMEND_ASSIGN_OR_RETURN(const std::vector<StatisticsLayer> layers,
                         HashLayers(dense, communicator));
  LayerPasser passer(dense, layers, communicator);
  Status written = communicator.rank() == 0 ? Write(dense, key, path, layers, passer) : OkStatus();
  // Also when rank 0 could not write: the others are passing them.
  while (!passer.done()) EMEND_RETURN_IF_ERROR(passer.Next().status());
  return collective::AgreeOn(communicator, written);
}

}  // namespace

Status SaveStatistics(const Statistics& statistics, const std::string& key, const std::string& path,
                      collective::Communicator& communicator) {
  return model::Guarded("saving key statistics",
                        [&] { return Save(statistics, key, path, communicator); });
}

Result<Statistics> LoadStatistics(const std::string& path, const std::string& key,
                                  collective::Communicator& communicator) {
  return model::Guarded("loading key statistics", [&] { return Load(path, key, communicator); });
}

}  // namespace emend::worker::edit
