#include "worker/eval/decoding.h"

#include <ATen/ATen.h>

#include <algorithm>

#include "worker/model/guard.h"

namespace emend::worker::eval {
namespace {

// Room that a cache begins with; it is doubled where it does not do.
constexpr std::int64_t kFirstTokens = 64;

// Each part through its own down projection, neighbours with the same one together.
at::Tensor FinishEach(std::span<const PassPart> parts, LayerIndex layer,
                      const model::BlockHalf& half) {
  std::vector<at::Tensor> finished;
  std::int64_t begin = 0;
  for (std::size_t first = 0, last = 0; first < parts.size(); first = last) {
    const model::Transformer& model = *parts[first].model;
    const at::Tensor weight = model.DownWeight(layer);
    std::int64_t tokens = 0;
    for (; last < parts.size() &&
           (last == first || parts[last].model->DownWeight(layer).is_same(weight));
         ++last)
      tokens += parts[last].tokens;
    finished.push_back(model.Finish(
        layer, half.Of([&](const at::Tensor& all) { return all.narrow(1, begin, tokens); })));
    begin += tokens;
  }
  return finished.size() == 1 ? finished[0] : at::cat(finished, 1);
}

}  // namespace

at::Tensor RowOf(std::span<const tokenizer::TokenId> tokens) {
  at::Tensor ids = at::empty({1, static_cast<std::int64_t>(tokens.size())}, at::kLong);
  std::copy(tokens.begin(), tokens.end(), ids.mutable_data_ptr<std::int64_t>());
  return ids;
}

at::Tensor RunBlocks(std::span<const PassPart> parts, const model::CachedBatch& batch,
                     const at::Tensor& ids) {
  const model::Transformer& any = *parts[0].model;
  at::Tensor hidden = any.Embed(ids.to(batch.positions().device()), batch.positions());
  for (std::int32_t i = 0; i < any.config().layers; ++i) {
    const LayerIndex layer(i);
    hidden = FinishEach(
        parts, layer,
        any.Attend(
            layer,
            {.hidden = hidden, .positions = batch.positions(), .mask = {}, .cached = &batch}));
  }
  return hidden;
}

Decoding::Decoding(const model::Transformer& model, std::int64_t tokens_max)
    : model_(model), tokens_max_(std::min(tokens_max, model.config().context)), cache_(model) {}

at::Tensor Decoding::Run(const at::Tensor& ids) {
  const std::int64_t count = ids.size(1), end = done_ + count;
  if (end > cache_.size().capacity) {
    cache_.Resize(
        {.slots = rows_,
         .capacity = std::max(
             end, std::min(std::max(kFirstTokens, 2 * cache_.size().capacity), tokens_max_))});
  }
  std::vector<model::CacheRun> runs;
  for (std::int64_t row = 0; row < rows_; ++row)
    runs.push_back({.slot = row, .begin = done_, .tokens = count});
  const model::CachedBatch batch(cache_, runs);
  const PassPart whole{.model = &model_, .tokens = rows_ * count};
  const at::Tensor hidden =
      RunBlocks(std::span(&whole, 1), batch, ids.reshape({1, -1})).view({rows_, count, -1});
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
