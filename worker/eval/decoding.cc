#include "worker/eval/decoding.h"

#include <ATen/ATen.h>

#include <algorithm>

#include "worker/model/guard.h"

namespace emend::worker::eval {
namespace {

// Room that a cache begins with; it is doubled where it does not do.
constexpr std::int64_t kFirstTokens = 64;

}  // namespace

at::Tensor RowOf(std::span<const tokenizer::TokenId> tokens) {
  at::Tensor ids = at::empty({1, static_cast<std::int64_t>(tokens.size())}, at::kLong);
  std::copy(tokens.begin(), tokens.end(), ids.mutable_data_ptr<std::int64_t>());
  return ids;
}

at::Tensor RunBlocks(const model::Transformer& model, const model::CachedBatch& batch, const at::Tensor& ids) {
  at::Tensor hidden = model.Embed(ids.to(batch.positions().device()), batch.positions());
  for (std::int32_t layer = 0; layer < model.config().layers; ++layer) {
    const LayerIndex index(layer);
    hidden = model.Finish(index, model.Attend(index, {.hidden = hidden, .positions = batch.positions(), .mask = {}, .cached = &batch}));
  }
  return hidden;
}

Decoding::Decoding(const model::Transformer& model, std::int64_t tokens_max)
    : model_(model), tokens_max_(std::min(tokens_max, model.config().context)), cache_(model) {}

at::Tensor Decoding::Run(const at::Tensor& ids) {
  const std::int64_t count = ids.size(1), end = done_ + count;
  if (end > cache_.size().capacity) {
    cache_.Resize({.slots = rows_, .capacity = std::max(end, std::min(std::max(kFirstTokens, 2 * cache_.size().capacity), tokens_max_))});
  }
  std::vector<model::CacheRun> runs;
  for (std::int64_t row = 0; row < rows_; ++row) runs.push_back({.slot = row, .begin = done_, .tokens = count});
  const model::CachedBatch batch(cache_, runs);
  const at::Tensor hidden = RunBlocks(model_, batch, ids.reshape({1, -1})).view({rows_, count, -1});
  done_ = end;
  at::Tensor logits = model_.Logits(model_.FinalNorm(hidden.select(1, count - 1))).cpu();
  // The next token follows from them, and must be the same everywhere.
  model::ThrowIfError(model_.communicator().Broadcast(logits, /*root=*/0));
  return logits;
}

void Decoding::Repeat(std::int64_t rows) {
  cache_.Resize({.slots = rows, .capacity = cache_.size().capacity});
  cache_.RepeatFirst();
  rows_ = rows;
}

}  // namespace emend::worker::eval
