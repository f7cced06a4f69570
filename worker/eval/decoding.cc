#include "worker/eval/decoding.h"

#include <ATen/ATen.h>

#include <algorithm>

#include "worker/model/guard.h"

namespace emend::worker::eval {

at::Tensor RowOf(std::span<const tokenizer::TokenId> tokens) {
  at::Tensor ids = at::empty({1, static_cast<std::int64_t>(tokens.size())}, at::kLong);
  std::copy(tokens.begin(), tokens.end(), ids.mutable_data_ptr<std::int64_t>());
  return ids;
}

at::Tensor Decoding::Run(const at::Tensor& ids) {
  const std::int64_t count = ids.size(1);
  const at::Device device = model_.DownWeight(LayerIndex(0)).device();
  const at::Tensor positions = at::arange(done_, done_ + count, at::kLong).unsqueeze(0).expand({ids.size(0), count}).to(device);
  at::Tensor hidden = model_.Embed(ids.to(device), positions);
  for (std::size_t layer = 0; layer < past_.size(); ++layer) {
    const LayerIndex index(static_cast<std::int32_t>(layer));
    const model::PastKeyValues* past = done_ == 0 ? nullptr : &past_[layer];
    const model::BlockHalf half = model_.Attend(index, {.hidden = hidden, .positions = positions, .mask = {}, .past = past});
    past_[layer] = half.present;
    hidden = model_.Finish(index, half);
  }
  done_ += count;
  at::Tensor logits = model_.Logits(model_.FinalNorm(hidden.select(1, count - 1))).cpu();
  // The next token follows from them, and must be the same everywhere.
  model::ThrowIfError(model_.communicator().Broadcast(logits, /*root=*/0));
  return logits;
}

void Decoding::Repeat(std::int64_t rows) {
  for (model::PastKeyValues& past : past_) {
    past.keys = past.keys.expand({rows, -1, -1, -1});
    past.values = past.values.expand({rows, -1, -1, -1});
  }
}

}  // namespace emend::worker::eval
