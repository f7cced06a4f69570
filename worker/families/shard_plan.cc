#include "worker/families/shard_plan.h"

#include <algorithm>
#include <string>

#include "storage/delta/tile_digest.h"

namespace emend::worker::families {
namespace {

// Tensors are stored in either orientation, so cuts fall on the edges of both sides of a tile.
static_assert(storage::delta::kTileRows == storage::delta::kTileCols);
constexpr std::int64_t kTile = storage::delta::kTileRows;

bool CanBeCut(const ModelConfig& config, std::int64_t ranks) {
  return config.heads % ranks == 0 &&
         (config.kv_heads % ranks == 0 || ranks % config.kv_heads == 0);
}

std::string UsableRanks(const ModelConfig& config) {
  std::string usable;
  for (std::int64_t ranks = 1; ranks <= config.heads; ++ranks) {
    if (CanBeCut(config, ranks)) usable += (usable.empty() ? "" : ", ") + std::to_string(ranks);
  }
  return usable;
}

}  // namespace

Slice CutEvenly(std::int64_t total, std::int64_t unit, int rank, int ranks) {
  const std::int64_t units = (total + unit - 1) / unit;
  const auto edge = [&](std::int64_t index) {
    return std::min(total, unit * (units / ranks * index + std::min(index, units % ranks)));
  };
  return {edge(rank), edge(rank + 1) - edge(rank)};
}

Slice CutIntermediate(std::int64_t width, int rank, int ranks) {
  return CutEvenly(width, kTile, rank, ranks);
}
Slice CutVocabulary(const ModelConfig& config, int rank, int ranks) {
  return CutEvenly(config.vocabulary, kTile, rank, ranks);
}

Result<ShardPlan> PlanShard(const ModelConfig& config, int rank, int ranks) {
  EMEND_CHECK(
      ranks > 0 && rank >= 0 && rank < ranks,
      "a shard was planned for rank " + std::to_string(rank) + " of " + std::to_string(ranks));
  if (!CanBeCut(config, ranks)) {
    return Status(StatusCode::kUnsupported, "uneven_heads",
                  "cutting a model of " + std::to_string(config.heads) + " heads and " +
                      std::to_string(config.kv_heads) + " key/value heads over " +
                      std::to_string(ranks) + " ranks: each rank needs whole heads; " +
                      UsableRanks(config) + " ranks would do");
  }
  ShardPlan plan{.rank = rank,
                 .ranks = ranks,
                 .heads = CutEvenly(config.heads, 1, rank, ranks),
                 .kv_heads = {},
                 .vocabulary = {}};
  const bool shares_kv = config.kv_heads < ranks;
  plan.kv_heads = shares_kv ? Slice{rank * config.kv_heads / ranks, 1}
                            : CutEvenly(config.kv_heads, 1, rank, ranks);
  plan.vocabulary = CutVocabulary(config, rank, ranks);
  return plan;
}

}  // namespace emend::worker::families
