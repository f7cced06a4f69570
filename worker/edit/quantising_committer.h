// QuantisingCommitter: makes a solved layer's integer columns and the weight that is served with
// them.
//
// Each edit's outer product is quantised (storage/delta/column.h), the side of the keys measured in
// the norm of the solve; columns too coarse there become a high and a low one. The columns are
// added to the parent's ledger and the sum is rounded once onto the base, exactly as a later
// rebuild from storage does it.
//
//   // the parent state: base bytes, ledger, budget already spent
//   std::map<LayerIndex, std::vector<EditedTensor>> tensors = ...;
//   QuantisingCommitter committer(std::move(tensors));
//
// The ledger is added up by fp64 GEMM over chunks of columns whose sums stay below 2^53 after their
// common power of two is taken out: every partial sum is an integer that fp64 holds exactly, so the
// order of the additions cannot matter and the sum is the integer ledger's, bit for bit. Used by
// one thread. Borrows base bytes and parent ledgers: they must outlive it and are not changed.
#pragma once

#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <vector>

#include "storage/delta/dtype.h"
#include "storage/delta/ledger.h"
#include "worker/edit/committer.h"

namespace emend::worker::edit {

// One edited tensor of the parent state.
struct EditedTensor {
  std::string name;  // in the checkpoint
  storage::delta::DType dtype = storage::delta::DType::kF32;
  bool stored_in_out = false;  // true: stored [d_ff, d]; false: [d, d_ff]
  std::uint64_t rows = 0;      // as stored, of the whole tensor
  std::uint64_t cols = 0;
  storage::delta::TensorRange range;   // this rank's part
  std::span<const std::uint8_t> base;  // W0 of the range: row-major elements as stored
  // D of the parent over the range, row-major; empty: all zero
  std::span<const std::int64_t> ledger;
  std::uint64_t ledger_bound = 0;  // Σ ColumnBound over the parent's active columns
};

class QuantisingCommitter final : public LayerCommitter {
 public:
  // Of each layer one tensor, or one of each expert, in their order.
  explicit QuantisingCommitter(std::map<LayerIndex, std::vector<EditedTensor>> tensors)
      : tensors_(std::move(tensors)) {}
  // kInvalidArgument for a layer without a tensor or wrong sizes.
  Result<std::vector<storage::delta::EditDelta>> Quantise(const LayerUpdate& update) override;
  // The same, kResourceExhausted ("ledger_overflow"), kFailedPrecondition ("non_finite_weight").
  Result<at::Tensor> Apply(const LayerUpdate& update,
                           const std::vector<storage::delta::EditDelta>& deltas) override;

 private:
  Result<std::span<const EditedTensor>> TensorsFor(const LayerUpdate& update) const;

  std::map<LayerIndex, std::vector<EditedTensor>> tensors_;
};

// ledger += Σ columns, by fp64 GEMM; bit-equal to storage::delta::ColumnSum. REQUIRES:
// CheckBudget over all columns in it is ok; the columns cover its range.
void AddColumns(std::span<const storage::delta::Column* const> columns,
                storage::delta::Ledger& ledger);

// Element bytes of the range of a stored down projection as the compute weight: the range's rows of
// fp32 [d_ff, d], contiguous.
Result<at::Tensor> WidenWeight(const EditedTensor& tensor, std::span<const std::uint8_t> bytes);

}  // namespace emend::worker::edit
