#include "storage/delta/column.h"

#include <algorithm>
#include <cstdlib>

namespace emend::storage::delta {
namespace {

std::uint64_t AbsMax(const std::vector<std::int16_t>& values) {
  int max = 0;
  for (const std::int16_t value : values) max = std::max(max, std::abs(int{value}));
  return static_cast<std::uint64_t>(max);
}

}  // namespace

std::uint64_t ColumnBound(const Column& column) {
  constexpr std::uint64_t kSaturated = std::uint64_t{1} << 63;
  if (column.shift > 62) return kSaturated;
  const std::uint64_t product = AbsMax(column.a) * AbsMax(column.b);
  if (product == 0) return 0;
  if (product >= (kSaturated >> column.shift)) return kSaturated;
  return product << column.shift;
}

}  // namespace emend::storage::delta
