#include "storage/delta/ledger.h"

#include <string>

#include "storage/delta/rounding.h"

namespace emend::storage::delta {
namespace {

constexpr std::uint64_t kBudget = std::uint64_t{1} << 63;

}  // namespace

Status CheckBudget(std::span<const Column* const> columns) {
  std::uint64_t sum = 0;
  for (std::size_t i = 0; i < columns.size(); ++i) {
    const std::uint64_t bound = ColumnBound(*columns[i]);
    if (bound >= kBudget - sum) {
      return {StatusCode::kResourceExhausted, "ledger_overflow",
              "adding " + std::to_string(columns.size()) +
                  " columns to a ledger: the bound of their sum reaches 2^63 at column " +
                  std::to_string(i) +
                  ", expected it to stay below; remove edits, or make them smaller"};
    }
    sum += bound;
  }
  return OkStatus();
}

Ledger::Ledger(TensorRange range) : range_(range) {
  EMEND_CHECK(range.row_begin <= range.row_end && range.col_begin <= range.col_end,
              "a ledger's range ends before it begins");
  values_.assign(range.rows() * range.cols(), 0);
}

Status ServeWeights(const Ledger& ledger, DType dtype, std::span<const std::uint8_t> base,
                    std::span<std::uint8_t> served) {
  if (!IsEditable(dtype)) {
    return Unsupported("serving an edited tensor: its type is " + std::string(DTypeName(dtype)) +
                       ", expected BF16, F16 or F32");
  }
  const std::size_t byte_count = ledger.values().size() * ElementBytes(dtype);
  if (base.size() != byte_count || served.size() != byte_count) {
    return InvalidArgument("serving an edited tensor: found " + std::to_string(base.size()) +
                           " base bytes and room for " + std::to_string(served.size()) +
                           ", expected " + std::to_string(byte_count) + " each");
  }
  const std::size_t place = RoundElements(dtype, base, ledger.values(), served);
  if (place == ledger.values().size()) return OkStatus();
  const std::uint64_t row = ledger.range().row_begin + place / ledger.range().cols();
  const std::uint64_t col = ledger.range().col_begin + place % ledger.range().cols();
  return {
      StatusCode::kFailedPrecondition, "non_finite_weight",
      "serving an edited tensor: the element at row " + std::to_string(row) + ", column " +
          std::to_string(col) +
          " is NaN or infinite, in the base or once the edits are added; expected finite weights"};
}

}  // namespace emend::storage::delta
