#include "coordinator/core/gguf_tensors.h"

#include <bit>
#include <cstring>
#include <memory>
#include <span>
#include <utility>
#include <vector>

namespace emend::coordinator::core {
namespace {

using storage::checkpoint::GgufTensor;
using storage::checkpoint::TensorSource;
using storage::delta::DType;

// To nearest, ties to even; what is no number stays none.
std::uint16_t BrainFloatOf(float value) {
  const auto bits = std::bit_cast<std::uint32_t>(value);
  const bool is_number = value == value;
  const std::uint32_t half = is_number ? 0x7FFFU + ((bits >> 16) & 1U) : 0;
  return static_cast<std::uint16_t>(((bits + half) >> 16) | (is_number ? 0U : 0x40U));
}

// One tensor on its way into a safetensors file.
class Conversion {
 public:
  explicit Conversion(GgufTensorPlan plan) : plan_(std::move(plan)), tensor_(*plan_.source) {
    const bool is_single = tensor_.type->block_elements == 1;
    if (plan_.fix == GgufFix::kPlusOne || tensor_.type->name == "F32") dtype_ = DType::kF32;
    if (plan_.fix != GgufFix::kPlusOne && tensor_.type->name == "F16") dtype_ = DType::kF16;
    copies_ = is_single && plan_.fix != GgufFix::kPlusOne;
    element_bytes_ = storage::delta::ElementBytes(dtype_);
    // The rows that heads share are those of a bias, too: of one element each.
    rows_ = plan_.heads > 0 ? tensor_.shape.front() : tensor_.rows();
    columns_ = tensor_.rows() * tensor_.row_elements() / rows_;
  }

  DType dtype() const { return dtype_; }

  Result<std::vector<std::uint8_t>> Bytes() const {
    const std::size_t row_bytes = columns_ * element_bytes_;
    std::vector<std::uint8_t> bytes(rows_ * row_bytes);
    std::vector<std::uint8_t> row(row_bytes);
    std::vector<float> values(columns_);
    for (std::size_t i = 0; i < rows_; ++i) {
      EncodeRow(i, values, row);
      if (plan_.fix == GgufFix::kTransposed) {
        for (std::size_t j = 0; j < columns_; ++j)
          std::memcpy(&bytes[(j * rows_ + i) * element_bytes_], &row[j * element_bytes_],
                      element_bytes_);
      } else {
        std::memcpy(&bytes[PlaceOf(i) * row_bytes], row.data(), row_bytes);
      }
    }
    return bytes;
  }

 private:
  void EncodeRow(std::size_t i, std::span<float> values, std::span<std::uint8_t> row) const {
    if (copies_) {
      std::memcpy(row.data(), tensor_.bytes.data() + i * row.size(), row.size());
      return;
    }
    tensor_.ReadRow(i, values);
    for (std::size_t j = 0; j < values.size(); ++j) {
      const std::uint32_t bits = dtype_ == DType::kF32 ? std::bit_cast<std::uint32_t>(values[j] - 1)
                                                       : BrainFloatOf(values[j]);
      for (std::size_t k = 0; k < element_bytes_; ++k)
        row[j * element_bytes_ + k] = static_cast<std::uint8_t>(bits >> (8 * k));
    }
  }

  // Where row `i` belongs: row 2n of a head is its row n, row 2n + 1 its row half + n.
  std::size_t PlaceOf(std::size_t i) const {
    if (plan_.heads == 0) return i;
    const std::size_t half = rows_ / plan_.heads / 2;
    const std::size_t in_head = i % (2 * half);
    return i - in_head + in_head % 2 * half + in_head / 2;
  }

  const GgufTensorPlan plan_;
  const GgufTensor& tensor_;
  DType dtype_ = DType::kBF16;
  bool copies_ = false;  // its elements are the file's
  std::size_t element_bytes_ = 0;
  std::size_t rows_ = 0, columns_ = 0;
};

}  // namespace

TensorSource ConvertedTensor(const GgufTensorPlan& plan) {
  const auto conversion = std::make_shared<const Conversion>(plan);
  TensorSource source{plan.name, conversion->dtype(), plan.source->shape,
                      [conversion] { return conversion->Bytes(); }};
  if (plan.fix == GgufFix::kTransposed) std::swap(source.shape[0], source.shape[1]);
  return source;
}

}  // namespace emend::coordinator::core
