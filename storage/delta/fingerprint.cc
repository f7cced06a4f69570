#include "storage/delta/fingerprint.h"

#include <string>

#include "storage/base/encoding.h"

namespace emend::storage::delta {
namespace {

__extension__ using Uint128 = unsigned __int128;
constexpr std::uint64_t kP = Fingerprint::kModulus;

std::uint64_t Fold(Uint128 value) {
  // 2^61 = 1 modulo p.
  Uint128 folded = (value & kP) + (value >> 61);
  folded = (folded & kP) + (folded >> 61);
  const auto low = static_cast<std::uint64_t>(folded);
  return low >= kP ? low - kP : low;
}

// `count` residues from SHA-256(seed ‖ axis ‖ block), four words a block cut to 61 bits. The one
// value p is 0, a bias of 2^-61.
std::vector<Fingerprint> Draw(std::string_view seed, std::string_view axis, std::uint64_t count) {
  constexpr std::size_t kWords = Digest::kSize / sizeof(std::uint64_t);
  std::vector<Fingerprint> values;
  values.reserve(count);
  for (std::uint64_t block = 0; values.size() < count; ++block) {
    Encoder input;
    input.Text("emend ledger fingerprint");
    input.Text(seed);
    input.Text(axis);
    input.U64(block);
    const Digest digest = Sha256(input.bytes());
    Decoder words(digest.Raw());
    for (std::size_t i = 0; i < kWords && values.size() < count; ++i)
      values.push_back(Fingerprint::FromU64(words.U64() & kP));
  }
  return values;
}

Fingerprint Dot(const std::vector<Fingerprint>& x, const std::vector<std::int16_t>& factor) {
  Fingerprint sum;
  for (std::size_t i = 0; i < factor.size(); ++i)
    sum = sum + x[i] * Fingerprint::FromI64(factor[i]);
  return sum;
}

}  // namespace

Fingerprint Fingerprint::FromU64(std::uint64_t value) {
  Fingerprint result;
  result.value_ = Fold(value);
  return result;
}

Fingerprint Fingerprint::FromI64(std::int64_t value) {
  if (value >= 0) return FromU64(static_cast<std::uint64_t>(value));
  return Fingerprint() - FromU64(std::uint64_t{0} - static_cast<std::uint64_t>(value));
}

Fingerprint operator+(Fingerprint left, Fingerprint right) {
  return Fingerprint::FromU64(left.value_ + right.value_);
}

Fingerprint operator-(Fingerprint left, Fingerprint right) {
  return Fingerprint::FromU64(left.value_ + kP - right.value_);
}

Fingerprint operator*(Fingerprint left, Fingerprint right) {
  return Fingerprint::FromU64(Fold(Uint128{left.value_} * right.value_));
}

Fingerprinter::Fingerprinter(std::string_view seed, std::uint64_t rows, std::uint64_t cols)
    : x_(Draw(seed, "rows", rows)), y_(Draw(seed, "cols", cols)) {}

Fingerprint Fingerprinter::OfColumn(const Column& column) const {
  EMEND_CHECK(column.a.size() == x_.size() && column.b.size() == y_.size(),
              "a column of " + std::to_string(column.a.size()) + " x " +
                  std::to_string(column.b.size()) + " was fingerprinted as " +
                  std::to_string(x_.size()) + " x " + std::to_string(y_.size()));
  return Fingerprint::FromU64(std::uint64_t{1} << column.shift) * Dot(x_, column.a) *
         Dot(y_, column.b);
}

Fingerprint Fingerprinter::OfLedger(const Ledger& ledger) const {
  const TensorRange& range = ledger.range();
  EMEND_CHECK(range.row_end <= x_.size() && range.col_end <= y_.size(),
              "a ledger reaches beyond the fingerprinter's tensor");
  Fingerprint sum;
  for (std::uint64_t row = 0; row < range.rows(); ++row) {
    const std::span<const std::int64_t> values =
        ledger.values().subspan(row * range.cols(), range.cols());
    Fingerprint of_row;
    for (std::uint64_t col = 0; col < range.cols(); ++col)
      of_row = of_row + Fingerprint::FromI64(values[col]) * y_[range.col_begin + col];
    sum = sum + x_[range.row_begin + row] * of_row;
  }
  return sum;
}

}  // namespace emend::storage::delta
