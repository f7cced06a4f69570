#include "worker/edit/statistics.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <set>
#include <utility>

#include "worker/edit/batching.h"
#include "worker/edit/moment_sum.h"
#include "worker/edit/product_kernels.h"
#include "worker/edit/targets.h"
#include "worker/model/guard.h"

namespace emend::worker::edit {
namespace {

using TokenRow = std::vector<tokenizer::TokenId>;

constexpr std::int64_t kGroupBytesMax = std::int64_t{32} << 20;  // of one layer's keys
constexpr std::size_t kLinesPerReport = 256;

// What lies beyond the model's context.
struct CutLines {
  std::int64_t lines = 0;
  std::int64_t tokens = 0;
};

Result<std::vector<TokenRow>> EncodeLines(const model::Transformer& model,
                                          const tokenizer::Tokenizer& tokenizer,
                                          std::span<const std::string> lines,
                                          const StatisticsOptions& options, CutLines& cut) {
  std::vector<TokenRow> rows;
  const bool is_bounded = options.tokens_max > 0;
  std::int64_t tokens_left = options.tokens_max;
  for (std::size_t i = 0; i < lines.size() && !(is_bounded && tokens_left == 0); ++i) {
    if (i % kLinesPerReport == 0) {
      EMEND_RETURN_IF_ERROR(Report(options.progress, {"encode", static_cast<std::int64_t>(i),
                                                      static_cast<std::int64_t>(lines.size())}));
    }
    auto encoded = tokenizer.Encode(lines[i], tokenizer::SpecialTokens::kWithTemplate);
    if (!encoded.ok())
      return encoded.status().WithContext("line " + std::to_string(i) + " of the corpus");
    const auto whole = static_cast<std::int64_t>(encoded->size());
    std::int64_t size = std::min<std::int64_t>(model.config().context, whole);
    cut.lines += size < whole ? 1 : 0;
    cut.tokens += whole - size;
    if (is_bounded) size = std::min(size, tokens_left);
    tokens_left -= size;
    if (size == 0) continue;
    TokenRow row;
    for (std::int64_t token = 0; token < size; ++token) row.push_back((*encoded)[token].id);
    rows.push_back(std::move(row));
  }
  if (rows.empty())
    return InvalidArgument("statistics: the " + std::to_string(lines.size()) +
                           " lines given hold no token; a corpus is needed");
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

// A key of each token, or of each token and expert that it passes.
struct KeyRows {
  at::Tensor keys;     // [rows, d_ff]
  at::Tensor experts;  // [rows] int64: whose they are; undefined without experts
};
using LayerKeys = std::map<LayerIndex, KeyRows>;

KeyRows GatherRows(const model::Transformer& model, LayerIndex layer, const model::BlockHalf& half,
                   const at::Tensor& places) {
  const model::DownProjection& down = model.Down(layer);
  const model::BlockHalf taken =
      half.Of([&](const at::Tensor& all) { return all.flatten(0, 1).index_select(0, places); });
  const at::Tensor own = taken.key.view({taken.key.size(0) * down.active, down.own.size});
  return {model.GatherKeys(layer, own),
          taken.experts.defined() ? taken.experts.flatten() : at::Tensor()};
}

// The keys of one group's tokens at each of these layers. Runs no further than the last of them.
LayerKeys GroupKeys(const model::Transformer& model, const std::vector<const TokenRow*>& rows,
                    std::int64_t length, const std::set<LayerIndex>& layers) {
  const at::Device device = model.DownWeight(LayerIndex(0)).device();
  const at::Tensor positions =
      CountPositions(static_cast<std::int64_t>(rows.size()), length).to(device);
  const at::Tensor places = TokenPlaces(rows, length).to(device);
  at::Tensor hidden = model.Embed(PadTokens(rows, length).to(device), positions);
  LayerKeys keys;  // whole
  for (LayerIndex layer(0);; layer = LayerIndex(layer.value() + 1)) {
    const model::BlockHalf half =
        model.Attend(layer, {.hidden = hidden, .positions = positions, .mask = {}});
    if (layers.contains(layer)) keys[layer] = GatherRows(model, layer, half, places);
    if (layer == *layers.rbegin()) return keys;
    hidden = model.Finish(layer, half);
  }
}

// Sums over groups: some groups run side by side, their keys are added in the groups' order.
class Pass {
 public:
  Pass(const model::Transformer& model, const std::vector<TokenRow>& rows,
       const std::vector<LayerIndex>& layers, ThreadTeam& team)
      : model_(model), rows_(rows), layers_(layers.begin(), layers.end()), team_(team) {
    for (const LayerIndex layer : layers_) {
      const model::DownProjection& down = model.Down(layer);
      for (std::int64_t part = 0; part < down.parts(); ++part)
        sums_[layer].emplace_back(down.own, down.width, team, down.parts());
      if (down.parts() > 1) passed_[layer].resize(down.tensors.size());
    }
  }

  Status Add(std::span<const RowGroup> groups) {
    std::vector<LayerKeys> keys(groups.size());
    team_.ForEach(static_cast<std::int64_t>(groups.size()), [&](std::int64_t i) {
      std::vector<const TokenRow*> members;
      for (const std::int64_t row : groups[i].rows) members.push_back(&rows_[row]);
      keys[i] = GroupKeys(model_, members, groups[i].length, layers_);
    });
    for (const LayerKeys& group : keys) {
      for (const auto& [layer, rows] : group) {
        if (!at::isfinite(rows.keys.sum()).item<bool>()) {
          return FailedPrecondition("statistics: a key of layer " + std::to_string(layer.value()) +
                                    " is NaN or infinite; the model's weights are not usable");
        }
        AddRows(layer, rows);
      }
    }
    return OkStatus();
  }

  Statistics Finish(std::int64_t tokens) {
    Statistics statistics{.covariance = {}, .tokens = tokens};
    statistics.passed = std::move(passed_);
    while (!sums_.empty()) {
      auto taken = sums_.extract(sums_.begin());  // freed before the next layer's are gathered
      const LayerIndex layer = taken.key();
      const int holder = static_cast<int>(statistics.holders.size()) % model_.shard().ranks;
      std::vector<at::Tensor> blocks;
      for (MomentSum& sum : taken.mapped())
        blocks.push_back(GatherPanels(model_.Down(layer).width,
                                      sum.Total().div_(static_cast<double>(tokens)), holder));
      if (blocks[0].defined())
        statistics.covariance[layer] = blocks.size() == 1 ? blocks[0] : at::stack(blocks);
      statistics.holders[layer] = holder;
    }
    return statistics;
  }

 private:
  void AddRows(LayerIndex layer, const KeyRows& rows) {
    std::vector<MomentSum>& sums = sums_.at(layer);
    if (sums.size() == 1) return sums[0].Add(rows.keys);
    for (std::size_t expert = 0; expert < sums.size(); ++expert) {
      const at::Tensor own =
          rows.experts.eq(static_cast<std::int64_t>(expert)).nonzero().squeeze(1);
      if (own.numel() == 0) continue;
      sums[expert].Add(rows.keys.index_select(0, own));
      passed_.at(layer)[expert] += own.numel();
    }
  }

  // [d_ff, d_ff] on the holder, nothing elsewhere. Panels pass one at a time, so that no rank holds
  // two sums.
  at::Tensor GatherPanels(std::int64_t size, const at::Tensor& own, int holder) const {
    const families::ShardPlan& shard = model_.shard();
    if (shard.ranks == 1) return own;
    at::Tensor whole = shard.rank == holder ? at::empty({size, size}, at::kDouble) : at::Tensor();
    for (int rank = 0; rank < shard.ranks; ++rank) {
      const families::Slice rows = families::CutIntermediate(size, rank, shard.ranks);
      at::Tensor panel = rank == shard.rank ? own : at::empty({rows.size, size}, at::kDouble);
      model::ThrowIfError(model_.communicator().Broadcast(panel, rank));
      if (whole.defined()) whole.narrow(0, rows.begin, rows.size).copy_(panel);
    }
    return whole;
  }

  const model::Transformer& model_;
  const std::vector<TokenRow>& rows_;
  const std::set<LayerIndex> layers_;
  ThreadTeam& team_;
  std::map<LayerIndex, std::vector<MomentSum>> sums_;  // one of each expert
  std::map<LayerIndex, std::vector<std::int64_t>> passed_;
};

Status CheckLayers(const model::Transformer& model, const std::vector<LayerIndex>& layers) {
  if (layers.empty())
    return InvalidArgument("statistics: no layers are named, expected at least one");
  for (const LayerIndex layer : layers) {
    if (layer.value() < 0 || layer.value() >= model.config().layers) {
      return InvalidArgument("statistics: layer " + std::to_string(layer.value()) +
                             " is outside the model, which has " +
                             std::to_string(model.config().layers) + " layers");
    }
  }
  return OkStatus();
}

Result<Statistics> Compute(const model::Transformer& model, const tokenizer::Tokenizer& tokenizer,
                           std::span<const std::string> lines, const StatisticsOptions& options) {
  UseProcessorsKernels();
  const at::NoGradGuard no_grad;
  EMEND_RETURN_IF_ERROR(CheckLayers(model, options.layers));
  CutLines cut;
  EMEND_ASSIGN_OR_RETURN(const std::vector<TokenRow> rows,
                         EncodeLines(model, tokenizer, lines, options, cut));
  std::vector<std::int64_t> lengths;
  std::int64_t tokens = 0;
  for (const TokenRow& row : rows)
    tokens += lengths.emplace_back(static_cast<std::int64_t>(row.size()));

  ThreadTeam team(TeamSize(model));
  Pass pass(model, rows, options.layers, team);
  const std::int64_t group_tokens =
      std::clamp<std::int64_t>(kGroupBytesMax / (4 * model.config().intermediate), 256, 4096);
  const std::vector<RowGroup> groups = GroupByLength(lengths, group_tokens);
  const auto wave = static_cast<std::size_t>(team.thread_count());
  std::int64_t done = 0;
  for (std::span<const RowGroup> rest = groups; !rest.empty();
       rest = rest.subspan(std::min(wave, rest.size()))) {
    EMEND_RETURN_IF_ERROR(Report(options.progress, {"statistics", done, tokens}));
    const std::span<const RowGroup> next = rest.first(std::min(wave, rest.size()));
    EMEND_RETURN_IF_ERROR(pass.Add(next));
    for (const RowGroup& group : next) {
      for (const std::int64_t row : group.rows) done += lengths[row];
    }
  }
  EMEND_RETURN_IF_ERROR(Report(options.progress, {"statistics", tokens, tokens}));
  Statistics statistics = pass.Finish(tokens);
  statistics.lines_cut = cut.lines;
  statistics.tokens_cut = cut.tokens;
  return statistics;
}

}  // namespace

Result<Statistics> ComputeStatistics(const model::Transformer& model,
                                     const tokenizer::Tokenizer& tokenizer,
                                     std::span<const std::string> lines,
                                     const StatisticsOptions& options) {
  return model::Guarded("taking key statistics",
                        [&] { return Compute(model, tokenizer, lines, options); });
}

}  // namespace emend::worker::edit
