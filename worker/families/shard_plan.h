// ShardPlan: which part of a model each rank of a group holds (tensor parallel; Shoeybi et al.
// 2019, "Megatron-LM", section 3).
//
// Projections into attention and the feed-forward part are cut by their outputs, those out of them
// by their inputs, the embedding and the head by tokens. Norms, positions, routers and the
// biases of the second kind are on every rank. d_ff and the vocabulary are cut at the edges of
// digest tiles (storage/delta/tile_digest.h), so that each rank hashes its own tiles; the first
// ranks get what does not divide, and a rank may get nothing. A rank has whole heads; where there
// are fewer key/value heads than ranks, neighbours hold the same one. Thread-safe: values and free
// functions.
#pragma once

#include <cstdint>
#include <vector>

#include "storage/base/status.h"
#include "worker/families/model_config.h"

namespace emend::worker::families {

// Indices [begin, begin + size) of one dimension.
struct Slice {
  std::int64_t begin = 0;
  std::int64_t size = 0;
  std::int64_t end() const { return begin + size; }
  Slice operator*(std::int64_t width) const { return {begin * width, size * width}; }
  Slice operator+(std::int64_t offset) const { return {begin + offset, size}; }
  friend bool operator==(const Slice&, const Slice&) = default;
};

// The part of a tensor that is taken: these slices of one dimension, side by side.
struct Cut {
  int dimension = 0;
  std::vector<Slice> slices = {};  // empty: the whole tensor
};

// Rank `rank`'s part of `total`, in whole units but for the last one.
Slice CutEvenly(std::int64_t total, std::int64_t unit, int rank, int ranks);

struct ShardPlan {
  int rank = 0;
  int ranks = 1;
  Slice heads;
  Slice kv_heads;
  Slice vocabulary;
};

// The parts of a d_ff, or an expert's, and of the vocabulary that `rank` holds.
Slice CutIntermediate(std::int64_t width, int rank, int ranks);
Slice CutVocabulary(const ModelConfig& config, int rank, int ranks);

// kUnsupported ("uneven_heads"), which says which numbers of ranks would do, unless the ranks
// divide the heads, and divide the key/value heads or are a multiple of them.
Result<ShardPlan> PlanShard(const ModelConfig& config, int rank, int ranks);

}  // namespace emend::worker::families
