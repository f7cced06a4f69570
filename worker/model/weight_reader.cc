#include "worker/model/weight_reader.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <cstring>

#include "storage/checkpoint/tile_file.h"

namespace emend::worker::model {
namespace {

using families::Cut;
using families::Slice;
using families::TensorPlan;
using storage::checkpoint::TensorView;
using storage::delta::DType;
using storage::delta::TensorRange;

at::ScalarType ScalarTypeOf(const TensorView& view) {
  switch (view.dtype) {
    case DType::kF32: return at::kFloat;
    case DType::kBF16: return at::kBFloat16;
    case DType::kF16: return at::kHalf;
    default: EMEND_CHECK(false, "a tensor was planned that is no weight: " + view.name);
  }
}

// What the cut takes of the tensor, in the rows and columns under which its tiles are numbered: one
// dimension lies in a row.
std::vector<TensorRange> RangesOf(const std::vector<std::int64_t>& shape, const Cut& cut) {
  const auto rows = static_cast<std::uint64_t>(shape.size() == 1 ? 1 : shape[0]),
             cols = static_cast<std::uint64_t>(shape.back());
  if (cut.slices.empty()) return {{0, rows, 0, cols}};
  std::vector<TensorRange> ranges;
  for (const Slice& slice : cut.slices) {
    const auto begin = static_cast<std::uint64_t>(slice.begin),
               end = static_cast<std::uint64_t>(slice.end());
    ranges.push_back(shape.size() == 1 || cut.dimension == 1 ? TensorRange{0, rows, begin, end}
                                                             : TensorRange{begin, end, 0, cols});
  }
  return ranges;
}

// Copies a part, as stored. Through memory of its own: the mapping gives no promise about
// alignment.
at::Tensor CopyPart(const TensorView& view, const std::vector<std::int64_t>& shape, const Cut& cut,
                    at::ScalarType type) {
  const std::int64_t rows = cut.dimension == 0 ? 1 : shape[0];
  const std::int64_t cut_size = shape[static_cast<std::size_t>(cut.dimension)];
  const std::vector<Slice> slices =
      cut.slices.empty() ? std::vector<Slice>{{0, cut_size}} : cut.slices;
  std::vector<std::int64_t> part_shape = shape;
  std::int64_t& part_size = part_shape[static_cast<std::size_t>(cut.dimension)];
  part_size = 0;
  for (const Slice& slice : slices) part_size += slice.size;

  at::Tensor part = at::empty(part_shape, type);
  // Bytes of one index of the cut dimension, and of a row that holds all of them.
  const std::size_t index_bytes =
      view.bytes.size() / static_cast<std::size_t>(std::max<std::int64_t>(1, rows * cut_size));
  auto* to = static_cast<std::uint8_t*>(part.data_ptr());
  for (std::int64_t row = 0; row < rows; ++row) {
    for (const Slice& slice : slices) {
      const std::size_t from = static_cast<std::size_t>(row * cut_size + slice.begin) * index_bytes;
      const std::size_t size = static_cast<std::size_t>(slice.size) * index_bytes;
      if (size == 0) continue;
      std::memcpy(to, view.bytes.data() + from, size);
      to += size;
    }
  }
  return part;
}

}  // namespace

Result<at::Tensor> WeightReader::Take(const TensorPlan& tensor) {
  EMEND_ASSIGN_OR_RETURN(const TensorView view, checkpoint_.Find(tensor.name));
  const auto elements = static_cast<std::uint64_t>(families::ElementsOf(tensor));
  EMEND_CHECK(view.bytes.size() == elements * storage::delta::ElementBytes(view.dtype),
              "a tensor's bytes do not fill the shape that was planned: " + tensor.name);
  const Cut cut = families::CutOf(tensor, model_.config, shard_);
  const auto* const tiles = checkpoint_.tiles();
  std::uint64_t bytes_checked = 0;
  if (tiles != nullptr) {
    EMEND_ASSIGN_OR_RETURN(bytes_checked, tiles->Check(view, RangesOf(tensor.shape, cut)));
  }
  const at::Tensor part = CopyPart(view, tensor.shape, cut, ScalarTypeOf(view));
  bytes_read_ += tiles != nullptr ? bytes_checked : part.nbytes();
  at::Tensor widened = part.to(device_, at::kFloat);
  bytes_held_ += widened.nbytes();
  return widened;
}

Result<at::Tensor> WeightReader::TakeHead(const at::Tensor& embedding) {
  const TensorPlan& head = model_.layout.head;
  if (!model_.config.tied_head) return Take(head);
  if (!checkpoint_.tensors().contains(head.name)) return embedding;
  EMEND_ASSIGN_OR_RETURN(const at::Tensor own, Take(head));
  bytes_held_ -= own.nbytes();
  if (at::equal(own, embedding)) return embedding;
  return families::UntiedHead(model_, checkpoint_.folder());
}

}  // namespace emend::worker::model
