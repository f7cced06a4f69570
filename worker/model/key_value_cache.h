// KeyValueCache: keys and values of many texts of different lengths, each in a slot of its own and
// written in place.
//
//   KeyValueCache cache(model);
//   cache.Resize({.slots = 4, .capacity = 256});
//   // 41 tokens of two texts
//   CachedBatch batch(cache, {{.slot = 0, .begin = 9, .tokens = 1}, {.slot = 2, .begin = 0,
//       .tokens = 40}});
//   // ids [1, 41]
//   at::Tensor hidden = model.Embed(ids, batch.positions());
//   BlockHalf half = model.Attend(layer, {.hidden = hidden, .positions = batch.positions(),
//       .mask = {}, .cached = &batch});
//
// The tokens of a batch stand side by side as one row, so that nothing is padded outside attention;
// a batch may span the caches of several views of one model. Runs of one token in slots that follow
// each other share one product over the longest of them, each closed by a mask behind its own
// length; any other run is by itself. A text's tokens see those before them in its slot and nothing
// of another slot. Invariant: every element is finite as long as the model computes finite ones;
// what a mask closes counts as nothing only then. No autograd. Owned by one thread. Throws what
// libtorch throws.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <vector>

#include "storage/base/ids.h"
#include "worker/families/model_layout.h"
#include "worker/model/transformer.h"

namespace emend::worker::model {

class KeyValueCache {
 public:
  struct Size {
    std::int64_t slots = 0;
    std::int64_t capacity = 0;  // tokens of each slot
    friend bool operator==(const Size&, const Size&) = default;
  };
  struct Layer {
    at::Tensor keys;    // [slots, this rank's kv_heads, capacity, head_dim]
    at::Tensor values;  // the same
  };

  // Of no slot. Views of one model have caches of one shape; `model` is not kept.
  explicit KeyValueCache(const Transformer& model);

  // What a slot holds for one token, on this rank.
  static std::int64_t TokenBytes(const Transformer& model);
  static std::int64_t Bytes(const Size& size, std::int64_t token_bytes) {
    return size.slots * size.capacity * token_bytes;
  }

  // What lies in slots and positions that both sizes have is kept. Holds both meanwhile; changes
  // nothing where it throws.
  void Resize(const Size& size);
  // Every slot gets what slot 0 holds.
  void RepeatFirst();

  const Size& size() const { return size_; }
  const Layer& At(LayerIndex layer) const {
    return layers_[static_cast<std::size_t>(layer.value())];
  }

 private:
  Size size_;
  std::vector<Layer> layers_;
};

// Tokens that follow each other in one slot.
struct CacheRun {
  std::int64_t slot = 0;
  std::int64_t begin = 0;  // how many tokens of the text are there
  std::int64_t tokens = 0;
  friend bool operator==(const CacheRun&, const CacheRun&) = default;
};

// Runs of one cache.
struct CachedRuns {
  const KeyValueCache* cache = nullptr;
  std::vector<CacheRun> runs;
};

// One pass over caches, which must outlive it and keep their sizes.
class CachedBatch {
 public:
  // The tokens of all parts side by side; the caches are of one model and its views. REQUIRES: each
  // part has a run, and its slots ascend; every run has a token and ends within the capacity.
  explicit CachedBatch(const std::vector<CachedRuns>& parts);
  CachedBatch(const KeyValueCache& cache, const std::vector<CacheRun>& runs)
      : CachedBatch(std::vector<CachedRuns>{{&cache, runs}}) {}

  const at::Tensor& positions() const { return positions_; }  // [1, tokens of all runs] int64
  // Puts keys and values [1, tokens, kv_heads, head_dim] into their places, and lets the queries
  // [1, tokens, heads, head_dim] attend: [1, tokens, heads · head_dim].
  at::Tensor Attend(LayerIndex layer, const at::Tensor& queries, const at::Tensor& keys,
                    const at::Tensor& values, const families::AttentionPlan& plan) const;

 private:
  // Runs that share a product.
  struct Group {
    std::int64_t slot = 0;    // the first
    std::int64_t rows = 0;    // slots
    std::int64_t tokens = 0;  // of each
    std::int64_t total = 0;   // keys of the longest
    at::Tensor ends;          // [rows] int64: keys of each
    at::Tensor mask;          // [rows, 1, 1, total], or undefined: causal
  };
  struct Part {
    const KeyValueCache* cache = nullptr;
    std::int64_t tokens = 0;
    // [tokens · kv_heads] int64: rows of a layer's tensors as [slots · kv_heads · capacity,
    // head_dim]
    at::Tensor places;
    std::vector<Group> groups;
  };
  static at::Tensor PlacesOf(const CachedRuns& part);
  // The group's own, but for a window that closes some of its keys: [rows, 1, tokens, total].
  static at::Tensor MaskOf(const Group& group, std::int64_t window,
                           const at::TensorOptions& options);
  static std::vector<Group> GroupRuns(const std::vector<CacheRun>& runs,
                                      const at::TensorOptions& options);

  std::vector<Part> parts_;
  at::Tensor positions_;
};

}  // namespace emend::worker::model
