// The independent rebuild: the served bytes of a whole tensor, and their digest, from the base and
// the active columns alone.
//
// It is the judge of what ranks serve and the source of manifests: integers only, no state kept
// between calls, and code of its own (it shares the rounding rule with the ledger, not the
// summation).
//
//   EMEND_ASSIGN_OR_RETURN(RebuiltTensor rebuilt, RebuildTensor(shape, view.bytes, active_columns,
//       /*thread_count=*/2));
//
// Thread-safe: a pure function. Blocks for the whole computation; `thread_count` threads take
// blocks of rows and end before it returns. The result depends neither on thread_count nor on the
// order of the columns.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "storage/delta/column.h"
#include "storage/delta/tile_digest.h"

namespace emend::storage::delta {

struct RebuiltTensor {
  std::vector<std::uint8_t> bytes;  // row-major elements
  Digest digest;
  std::vector<TileLeaf> leaves;  // that the digest is the root of, in index order
};

// kInvalidArgument if a column or `base` does not have the tensor's size; kUnsupported if the type
// is not editable and there are columns; kResourceExhausted ("ledger_overflow") and
// kFailedPrecondition ("non_finite_weight") as CheckBudget and ServeWeights. Memory beyond the
// result: 8 bytes · 64 rows · cols a thread.
Result<RebuiltTensor> RebuildTensor(const TensorShape& shape, std::span<const std::uint8_t> base,
                                    std::span<const Column* const> columns,
                                    std::size_t thread_count);

}  // namespace emend::storage::delta
