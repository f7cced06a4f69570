#include "worker/edit/statistics.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <utility>

#include "worker/edit/batching.h"
#include "worker/edit/guard.h"
#include "worker/edit/moment_sum.h"

namespace emend::worker::edit {
namespace {

using TokenRow = std::vector<tokenizer::TokenId>;

constexpr std::int64_t kGroupTokensMax = 4096;

Result<std::vector<TokenRow>> EncodeLines(const model::Transformer& model, const tokenizer::Tokenizer& tokenizer, std::span<const std::string> lines,
                                          std::int64_t tokens_max) {
  std::vector<TokenRow> rows;
  std::int64_t tokens_left = tokens_max;
  for (std::size_t i = 0; i < lines.size(); ++i) {
    auto encoded = tokenizer.Encode(lines[i], tokenizer::SpecialTokens::kWithTemplate);
    if (!encoded.ok()) return encoded.status().WithContext("line " + std::to_string(i) + " of the corpus");
    std::int64_t size = std::min<std::int64_t>(model.config().context, static_cast<std::int64_t>(encoded->size()));
    if (tokens_max > 0) size = std::min(size, tokens_left);
    tokens_left -= size;
    if (size == 0) continue;
    TokenRow row;
    for (std::int64_t token = 0; token < size; ++token) row.push_back((*encoded)[token].id);
    rows.push_back(std::move(row));
  }
  if (rows.empty()) return InvalidArgument("statistics: the " + std::to_string(lines.size()) + " lines given hold no token; a corpus is needed");
  return rows;
}

// The places of the rows' own tokens in a padded [rows, length] group.
at::Tensor TokenPlaces(const std::vector<const TokenRow*>& rows, std::int64_t length) {
  std::vector<std::int64_t> places;
  for (std::size_t row = 0; row < rows.size(); ++row) {
    for (std::size_t token = 0; token < rows[row]->size(); ++token) {
      places.push_back(static_cast<std::int64_t>(row) * length + static_cast<std::int64_t>(token));
    }
  }
  return IndexTensor(places);
}

using Sums = std::map<LayerIndex, MomentSum>;

// Runs one group up to the key of the last layer in `sums`, adding keys on the way.
Status AddGroup(const model::Transformer& model, const std::vector<const TokenRow*>& rows, std::int64_t length, Sums& sums) {
  const at::Device device = model.DownWeight(LayerIndex(0)).device();
  const at::Tensor positions = CountPositions(static_cast<std::int64_t>(rows.size()), length).to(device);
  const at::Tensor places = TokenPlaces(rows, length).to(device);
  at::Tensor hidden = model.Embed(PadTokens(rows, length).to(device), positions);
  const LayerIndex last = sums.rbegin()->first;
  for (std::int32_t index = 0; index <= last.value(); ++index) {
    const LayerIndex layer(index);
    const model::BlockHalf half = model.Attend(layer, {.hidden = hidden, .positions = positions, .mask = {}});
    if (const auto sum = sums.find(layer); sum != sums.end()) {
      const at::Tensor keys = half.key.flatten(0, 1).index_select(0, places);
      if (!at::isfinite(keys.sum()).item<bool>()) {
        return FailedPrecondition("statistics: a key of layer " + std::to_string(index) + " is NaN or infinite; the model's weights are not usable");
      }
      sum->second.Add(keys);
    }
    if (layer != last) hidden = model.Finish(layer, half);
  }
  return OkStatus();
}

Status CheckLayers(const model::Transformer& model, const std::vector<LayerIndex>& layers) {
  if (layers.empty()) return InvalidArgument("statistics: no layers are named, expected at least one");
  for (const LayerIndex layer : layers) {
    if (layer.value() < 0 || layer.value() >= model.config().layers) {
      return InvalidArgument("statistics: layer " + std::to_string(layer.value()) + " is outside the model, which has " +
                             std::to_string(model.config().layers) + " layers");
    }
  }
  return OkStatus();
}

Result<Statistics> Compute(const model::Transformer& model, const tokenizer::Tokenizer& tokenizer, std::span<const std::string> lines,
                           const StatisticsOptions& options) {
  const at::NoGradGuard no_grad;
  EMEND_RETURN_IF_ERROR(CheckLayers(model, options.layers));
  EMEND_ASSIGN_OR_RETURN(const std::vector<TokenRow> rows, EncodeLines(model, tokenizer, lines, options.tokens_max));
  std::vector<std::int64_t> lengths;
  std::int64_t tokens = 0;
  for (const TokenRow& row : rows) tokens += lengths.emplace_back(static_cast<std::int64_t>(row.size()));

  Sums sums;
  for (const LayerIndex layer : options.layers) sums.try_emplace(layer, model.config().intermediate);
  std::int64_t done = 0;
  for (const RowGroup& group : GroupByLength(lengths, kGroupTokensMax)) {
    EMEND_RETURN_IF_ERROR(Report(options.progress, {"statistics", done, tokens}));
    std::vector<const TokenRow*> members;
    for (const std::int64_t row : group.rows) members.push_back(&rows[row]);
    EMEND_RETURN_IF_ERROR(AddGroup(model, members, group.length, sums));
    for (const TokenRow* row : members) done += static_cast<std::int64_t>(row->size());
  }
  EMEND_RETURN_IF_ERROR(Report(options.progress, {"statistics", tokens, tokens}));

  Statistics statistics{.covariance = {}, .tokens = tokens};
  for (auto& [layer, sum] : sums) statistics.covariance[layer] = sum.Total().div_(static_cast<double>(tokens));
  return statistics;
}

}  // namespace

Result<Statistics> ComputeStatistics(const model::Transformer& model, const tokenizer::Tokenizer& tokenizer, std::span<const std::string> lines,
                                     const StatisticsOptions& options) {
  return Guarded("taking key statistics", [&] { return Compute(model, tokenizer, lines, options); });
}

}  // namespace emend::worker::edit
