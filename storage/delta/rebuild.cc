#include "storage/delta/rebuild.h"

#include <algorithm>
#include <atomic>
#include <string>
#include <thread>

#include "storage/delta/column_sum.h"

namespace emend::storage::delta {
namespace {

Status CheckSizes(const TensorShape& shape, std::span<const std::uint8_t> base,
                  std::span<const Column* const> columns) {
  std::uint64_t expected = 0;
  if (__builtin_mul_overflow(shape.rows, shape.cols, &expected) ||
      __builtin_mul_overflow(expected, ElementBytes(shape.dtype), &expected) ||
      expected != base.size()) {
    return InvalidArgument("rebuilding a tensor of " + std::to_string(shape.rows) + " x " +
                           std::to_string(shape.cols) + " " + std::string(DTypeName(shape.dtype)) +
                           ": found " + std::to_string(base.size()) + " base bytes");
  }
  for (std::size_t i = 0; i < columns.size(); ++i) {
    const Column& column = *columns[i];
    if (column.a.size() == shape.rows && column.b.size() == shape.cols) continue;
    return InvalidArgument("rebuilding a tensor: column " + std::to_string(i) + " is " +
                           std::to_string(column.a.size()) + " x " +
                           std::to_string(column.b.size()) + ", expected " +
                           std::to_string(shape.rows) + " x " + std::to_string(shape.cols));
  }
  if (!columns.empty() && !IsEditable(shape.dtype)) {
    return Unsupported("rebuilding a tensor with edits: its type is " +
                       std::string(DTypeName(shape.dtype)) + ", expected BF16, F16 or F32");
  }
  return OkStatus();
}

// What one block of 64 rows came to.
struct BlockResult {
  Status status;
  std::vector<TileLeaf> leaves;
};

class Rebuild {
 public:
  Rebuild(const TensorShape& shape, std::span<const std::uint8_t> base,
          std::span<const Column* const> columns)
      : shape_(shape),
        base_(base),
        sum_(columns, shape.rows, shape.cols),
        served_(base.begin(), base.end()),
        blocks_((shape.rows + kTileRows - 1) / kTileRows) {}

  Result<RebuiltTensor> Run(std::size_t thread_count) {
    std::vector<std::thread> threads;
    const std::size_t helpers =
        std::min(std::max<std::size_t>(thread_count, 1), std::max<std::size_t>(blocks_.size(), 1)) -
        1;
    for (std::size_t i = 0; i < helpers; ++i) threads.emplace_back([this] { TakeBlocks(); });
    TakeBlocks();
    for (std::thread& thread : threads) thread.join();
    std::vector<TileLeaf> leaves;
    for (BlockResult& block : blocks_) {
      EMEND_RETURN_IF_ERROR(block.status);
      leaves.insert(leaves.end(), block.leaves.begin(), block.leaves.end());
    }
    EMEND_ASSIGN_OR_RETURN(const Digest digest, TensorRoot(shape_, leaves));
    return RebuiltTensor{std::move(served_), digest, std::move(leaves)};
  }

 private:
  void TakeBlocks() {
    for (std::size_t index = next_++; index < blocks_.size(); index = next_++)
      blocks_[index].status = RebuildBlock(index);
  }

  Status RebuildBlock(std::size_t index) {
    const std::uint64_t row_begin = index * kTileRows;
    const TensorRange range{row_begin, std::min(row_begin + kTileRows, shape_.rows), 0,
                            shape_.cols};
    const std::size_t row_bytes = shape_.cols * ElementBytes(shape_.dtype);
    const std::span<std::uint8_t> served =
        std::span(served_).subspan(row_begin * row_bytes, range.rows() * row_bytes);
    if (IsEditable(shape_.dtype)) {
      Ledger ledger(range);
      sum_.Fill(ledger);
      EMEND_RETURN_IF_ERROR(ServeWeights(
          ledger, shape_.dtype, base_.subspan(row_begin * row_bytes, served.size()), served));
    }
    EMEND_ASSIGN_OR_RETURN(blocks_[index].leaves, HashTiles(shape_, range, served));
    return OkStatus();
  }

  const TensorShape shape_;
  const std::span<const std::uint8_t> base_;
  const ColumnSum sum_;
  std::vector<std::uint8_t> served_;   // each block's rows belong to the thread that took it
  std::vector<BlockResult> blocks_;    // likewise
  std::atomic<std::size_t> next_ = 0;  // the next block to take
};

}  // namespace

Result<RebuiltTensor> RebuildTensor(const TensorShape& shape, std::span<const std::uint8_t> base,
                                    std::span<const Column* const> columns,
                                    std::size_t thread_count) {
  EMEND_RETURN_IF_ERROR(CheckSizes(shape, base, columns));
  EMEND_RETURN_IF_ERROR(CheckBudget(columns));
  return Rebuild(shape, base, columns).Run(thread_count);
}

}  // namespace emend::storage::delta
