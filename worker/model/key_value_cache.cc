#include "worker/model/key_value_cache.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <limits>
#include <utility>

#include "worker/model/attention.h"

namespace emend::worker::model {
namespace {

// Closes each row behind its own length; [rows, 1, 1, longest].
at::Tensor LengthMask(const std::vector<std::int64_t>& lengths, const at::TensorOptions& options) {
  const std::int64_t longest = *std::ranges::max_element(lengths),
                     rows = static_cast<std::int64_t>(lengths.size());
  const at::Tensor ends = at::tensor(lengths, at::kLong).unsqueeze(1);
  at::Tensor mask = at::zeros({rows, longest}, at::kFloat);
  mask.masked_fill_(at::ge(at::arange(longest, at::kLong).unsqueeze(0), ends),
                    -std::numeric_limits<double>::infinity());
  return mask.view({rows, 1, 1, longest}).to(options.device(), options.dtype());
}

}  // namespace

KeyValueCache::KeyValueCache(const Transformer& model) {
  const ModelConfig& config = model.config();
  const at::TensorOptions options = model.DownWeight(LayerIndex(0)).options();
  for (std::int64_t layer = 0; layer < config.layers; ++layer) {
    const std::vector<std::int64_t> shape = {0, model.shard().kv_heads.size, 0, config.head_dim};
    layers_.push_back({at::empty(shape, options), at::empty(shape, options)});
  }
}

std::int64_t KeyValueCache::TokenBytes(const Transformer& model) {
  return 2 * model.config().layers * model.shard().kv_heads.size * model.config().head_dim *
         static_cast<std::int64_t>(sizeof(float));
}

void KeyValueCache::Resize(const Size& size) {
  const std::int64_t slots = std::min(size.slots, size_.slots),
                     tokens = std::min(size.capacity, size_.capacity);
  const auto resized = [&](const at::Tensor& tensor) {
    // Zeros, because a mask closes an element by a weight of 0, which an infinite or undefined one
    // would survive.
    at::Tensor other =
        at::zeros({size.slots, tensor.size(1), size.capacity, tensor.size(3)}, tensor.options());
    other.narrow(0, 0, slots)
        .narrow(2, 0, tokens)
        .copy_(tensor.narrow(0, 0, slots).narrow(2, 0, tokens));
    return other;
  };
  std::vector<Layer> layers;
  for (const Layer& layer : layers_) layers.push_back({resized(layer.keys), resized(layer.values)});
  layers_ = std::move(layers);
  size_ = size;
}

void KeyValueCache::RepeatFirst() {
  for (const Layer& layer : layers_) {
    for (const at::Tensor& tensor : {layer.keys, layer.values})
      tensor.narrow(0, 1, size_.slots - 1).copy_(tensor.narrow(0, 0, 1));
  }
}

CachedBatch::CachedBatch(const std::vector<CachedRuns>& parts) {
  std::vector<std::int64_t> positions;
  for (const CachedRuns& part : parts) {
    const std::size_t begin = positions.size();
    for (const CacheRun& run : part.runs) {
      for (std::int64_t token = 0; token < run.tokens; ++token)
        positions.push_back(run.begin + token);
    }
    parts_.push_back(
        {.cache = part.cache,
         .tokens = static_cast<std::int64_t>(positions.size() - begin),
         .places = PlacesOf(part),
         .groups = GroupRuns(part.runs, part.cache->At(LayerIndex(0)).keys.options())});
  }
  positions_ = at::tensor(positions, at::kLong).unsqueeze(0).to(parts_[0].places.device());
}

at::Tensor CachedBatch::PlacesOf(const CachedRuns& part) {
  const KeyValueCache::Size& size = part.cache->size();
  const at::Tensor& keys = part.cache->At(LayerIndex(0)).keys;
  std::vector<std::int64_t> places;
  std::int64_t slot_end = 0;
  for (const CacheRun& run : part.runs) {
    EMEND_CHECK(run.slot >= slot_end && run.slot < size.slots && run.begin >= 0 && run.tokens > 0 &&
                    run.begin + run.tokens <= size.capacity,
                "tokens " + std::to_string(run.begin) + " to " +
                    std::to_string(run.begin + run.tokens) + " of slot " +
                    std::to_string(run.slot) +
                    " do not follow the slots before, or lie outside the cache");
    slot_end = run.slot + 1;
    for (std::int64_t position = run.begin; position < run.begin + run.tokens; ++position) {
      for (std::int64_t head = 0; head < keys.size(1); ++head)
        places.push_back((run.slot * keys.size(1) + head) * size.capacity + position);
    }
  }
  return at::tensor(places, at::kLong).to(keys.device());
}

std::vector<CachedBatch::Group> CachedBatch::GroupRuns(const std::vector<CacheRun>& runs,
                                                       const at::TensorOptions& options) {
  std::vector<Group> groups;
  for (std::size_t first = 0, last = 0; first < runs.size(); first = last) {
    std::vector<std::int64_t> lengths;
    const auto joins = [&](const CacheRun& run) {
      return last == first ||
             (run.tokens == 1 && runs[first].tokens == 1 && run.slot == runs[last - 1].slot + 1);
    };
    for (; last < runs.size() && joins(runs[last]); ++last)
      lengths.push_back(runs[last].begin + runs[last].tokens);
    const auto [shortest, longest] = std::ranges::minmax(lengths);
    Group group{.slot = runs[first].slot,
                .rows = static_cast<std::int64_t>(lengths.size()),
                .tokens = runs[first].tokens,
                .total = longest,
                .ends = at::tensor(lengths, at::kLong).to(options.device()),
                .mask = {}};
    if (shortest < longest) group.mask = LengthMask(lengths, options);
    groups.push_back(std::move(group));
  }
  return groups;
}

at::Tensor CachedBatch::MaskOf(const Group& group, std::int64_t window,
                               const at::TensorOptions& options) {
  if (window == 0 || group.total <= window) return group.mask;
  const at::Tensor queries = (group.ends - group.tokens).unsqueeze(1) +
                             at::arange(group.tokens, group.ends.options()).unsqueeze(0);
  const at::Tensor distance =
      queries.unsqueeze(2) - at::arange(group.total, group.ends.options()).view({1, 1, -1});
  return at::zeros(distance.sizes(), options)
      .masked_fill_(at::logical_or(at::ge(distance, window), at::lt(distance, 0)),
                    -std::numeric_limits<double>::infinity())
      .unsqueeze(1);
}

at::Tensor CachedBatch::Attend(LayerIndex layer, const at::Tensor& queries, const at::Tensor& keys,
                               const at::Tensor& values,
                               const families::AttentionPlan& plan) const {
  const std::int64_t head_dim = keys.size(3);
  const auto put = [&](const at::Tensor& into, const at::Tensor& places, const at::Tensor& from) {
    into.view({-1, head_dim}).index_copy_(0, places, from.reshape({-1, head_dim}));
  };
  const auto seen = [](const at::Tensor& tensor, const Group& group) {
    return tensor.narrow(0, group.slot, group.rows).narrow(2, 0, group.total);
  };
  std::vector<at::Tensor> contexts;
  std::int64_t begin = 0;
  for (const Part& part : parts_) {
    const KeyValueCache::Layer& own = part.cache->At(layer);
    put(own.keys, part.places, keys.narrow(1, begin, part.tokens));
    put(own.values, part.places, values.narrow(1, begin, part.tokens));
    for (const Group& group : part.groups) {
      const at::Tensor rows = queries[0]
                                  .narrow(0, begin, group.rows * group.tokens)
                                  .unflatten(0, {group.rows, group.tokens})
                                  .transpose(1, 2);
      const at::Tensor context = Attention({.queries = rows,
                                            .keys = seen(own.keys, group),
                                            .values = seen(own.values, group),
                                            .mask = MaskOf(group, plan.window, rows.options()),
                                            .scale = plan.scale,
                                            .softcap = plan.softcap});
      contexts.push_back(context.view({1, group.rows * group.tokens, -1}));
      begin += group.rows * group.tokens;
    }
  }
  return contexts.size() == 1 ? contexts[0] : at::cat(contexts, 1);
}

}  // namespace emend::worker::model
