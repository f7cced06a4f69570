#include "worker/model/weight_reader.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <cstring>

#include "storage/checkpoint/tile_file.h"

namespace emend::worker::model {
namespace {

using storage::checkpoint::TensorView;
using storage::delta::DType;
using storage::delta::TensorRange;

template <typename T>
std::string ShapeText(const std::vector<T>& shape) {
  std::string text = "[";
  for (std::size_t i = 0; i < shape.size(); ++i)
    text += (i == 0 ? "" : ", ") + std::to_string(shape[i]);
  return text + "]";
}

bool SameShape(const std::vector<std::uint64_t>& found, const std::vector<std::int64_t>& expected) {
  if (found.size() != expected.size()) return false;
  for (std::size_t i = 0; i < found.size(); ++i) {
    if (found[i] != static_cast<std::uint64_t>(expected[i])) return false;
  }
  return true;
}

Result<at::ScalarType> ScalarTypeOf(const TensorView& view) {
  switch (view.dtype) {
    case DType::kF32: return at::kFloat;
    case DType::kBF16: return at::kBFloat16;
    case DType::kF16: return at::kHalf;
    default:
      return Status(StatusCode::kUnsupported, "unsupported_dtype",
                    "loading tensor " + view.name + " of " + view.file + ": found dtype " +
                        std::string(DTypeName(view.dtype)) + ", expected F32, BF16 or F16");
  }
}

std::uint64_t ElementsOf(const std::vector<std::int64_t>& shape) {
  std::uint64_t elements = 1;
  for (const std::int64_t size : shape) elements *= static_cast<std::uint64_t>(size);
  return elements;
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

bool WeightReader::Has(std::string_view name) const {
  return checkpoint_.tensors().contains(std::string(name));
}

Result<at::Tensor> WeightReader::Take(const std::string& name,
                                      const std::vector<std::int64_t>& shape, const Cut& cut) {
  const auto found = checkpoint_.tensors().find(name);
  if (found == checkpoint_.tensors().end()) {
    return Status(StatusCode::kInvalidArgument, "missing_tensor",
                  "loading " + checkpoint_.folder() + ": no tensor " + name +
                      ", expected one of shape " + ShapeText(shape));
  }
  const TensorView& view = found->second;
  if (!SameShape(view.shape, shape)) {
    return Status(StatusCode::kInvalidArgument, "misshapen_tensor",
                  "loading " + checkpoint_.folder() + ": tensor " + name + " has shape " +
                      ShapeText(view.shape) + ", and config.json asks for " + ShapeText(shape));
  }
  EMEND_ASSIGN_OR_RETURN(const at::ScalarType type, ScalarTypeOf(view));
  taken_.insert(name);
  EMEND_CHECK(view.bytes.size() == ElementsOf(shape) * storage::delta::ElementBytes(view.dtype),
              "an open checkpoint holds a tensor whose bytes do not fill its shape: " + name);
  const auto* const tiles = checkpoint_.tiles();
  std::uint64_t bytes_checked = 0;
  if (tiles != nullptr) {
    EMEND_ASSIGN_OR_RETURN(bytes_checked, tiles->Check(view, RangesOf(shape, cut)));
  }
  const at::Tensor part = CopyPart(view, shape, cut, type);
  bytes_read_ += tiles != nullptr ? bytes_checked : part.nbytes();
  at::Tensor widened = part.to(device_, at::kFloat);
  bytes_held_ += widened.nbytes();
  return widened;
}

Result<at::Tensor> WeightReader::TakeHead(const std::string& name,
                                          const std::vector<std::int64_t>& shape, const Cut& cut,
                                          const at::Tensor& embedding, bool tied) {
  if (tied && !Has(name)) return embedding;
  EMEND_ASSIGN_OR_RETURN(at::Tensor head, Take(name, shape, cut));
  if (!tied) return head;
  bytes_held_ -= head.nbytes();
  if (at::equal(head, embedding)) return embedding;
  return Status(StatusCode::kInvalidArgument, "untied_head",
                "loading " + checkpoint_.folder() +
                    ": config.json ties the head to the embedding, and tensor " + name +
                    " differs from it");
}

Status WeightReader::RefuseUntaken(const std::function<bool(std::string_view)>& harmless) const {
  std::string surplus;
  for (const auto& [name, view] : checkpoint_.tensors()) {
    if (!taken_.contains(name) && !harmless(name)) surplus += (surplus.empty() ? "" : ", ") + name;
  }
  if (surplus.empty()) return OkStatus();
  return {StatusCode::kInvalidArgument, "surplus_tensor",
          "loading " + checkpoint_.folder() +
              ": tensors that config.json does not account for: " + surplus};
}

}  // namespace emend::worker::model
