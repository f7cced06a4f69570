#include "worker/eval/hidden.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <vector>

namespace emend::worker::eval {

at::Tensor HiddenAt(const model::Transformer& model, const RowBatch& batch,
                    const at::Tensor& places) {
  const auto layers = static_cast<std::int32_t>(model.config().layers);
  at::Tensor hidden = model.Embed(batch.ids, batch.positions);
  for (std::int32_t layer = 0; layer < layers; ++layer) {
    model::BlockHalf half = model.Attend(
        LayerIndex(layer), {.hidden = hidden, .positions = batch.positions, .mask = batch.mask});
    if (layer + 1 == layers) {
      // Beyond the last attention only the wanted tokens matter.
      half = half.Of([&](const at::Tensor& all) {
        return at::index_select(all.flatten(0, 1), 0, places).unsqueeze(0);
      });
    }
    hidden = model.Finish(LayerIndex(layer), half);
  }
  return model.FinalNorm(hidden).squeeze(0);
}

BatchOnDevice OnDevice(const model::Transformer& model, std::span<const Row> rows,
                       std::span<const std::int64_t> places) {
  const at::Device device = model.DownWeight(LayerIndex(0)).device();
  const at::Tensor host = at::empty({static_cast<std::int64_t>(places.size())}, at::kLong);
  std::ranges::copy(places, host.mutable_data_ptr<std::int64_t>());
  RowBatch batch = StackRows(rows);
  batch.ids = batch.ids.to(device);
  batch.positions = batch.positions.to(device);
  if (batch.mask.defined()) batch.mask = batch.mask.to(device);
  return {std::move(batch), host.to(device)};
}

BatchOnDevice LastTokens(const model::Transformer& model, std::span<const Row> rows) {
  std::int64_t length = 0;
  for (const Row& row : rows) length = std::max(length, row.length());
  std::vector<std::int64_t> places;
  for (std::size_t i = 0; i < rows.size(); ++i)
    places.push_back(static_cast<std::int64_t>(i) * length + rows[i].length() - 1);
  return OnDevice(model, rows, places);
}

}  // namespace emend::worker::eval
