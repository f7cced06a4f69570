// Fingerprints of ledgers: h(D) = xᵀ D y modulo p = 2^61 - 1, with x and y drawn from a secret seed
// (Freivalds' check, kept as a running sum).
//
// h is linear, so the fingerprint of a set of edits is the sum of its columns' fingerprints, and
// that of a tensor the sum of its shards'. A ledger in memory is checked against the set that it
// should hold in one pass; a wrong one is missed with a chance of about 2/p, as long as the seed is
// unknown to whoever made it wrong. It says "quickly, and almost surely"; proof is the digest
// (tile_digest.h).
//
//   Fingerprinter fingerprinter(seed, rows, cols);
//   Fingerprint expected;
//   // O(rows + cols) each
//   for (const Column& column : active) expected = expected + fingerprinter.OfColumn(column);
//   // O(rows · cols)
//   if (fingerprinter.OfLedger(ledger) != expected) ...
//
// Thread-safe: immutable once built.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "storage/delta/column.h"
#include "storage/delta/ledger.h"

namespace emend::storage::delta {

// A residue modulo 2^61 - 1.
class Fingerprint {
 public:
  static constexpr std::uint64_t kModulus = (std::uint64_t{1} << 61) - 1;

  Fingerprint() = default;
  // Any integer; reduced.
  static Fingerprint FromU64(std::uint64_t value);
  static Fingerprint FromI64(std::int64_t value);

  std::uint64_t value() const { return value_; }
  friend Fingerprint operator+(Fingerprint left, Fingerprint right);
  friend Fingerprint operator-(Fingerprint left, Fingerprint right);
  friend Fingerprint operator*(Fingerprint left, Fingerprint right);
  friend bool operator==(const Fingerprint&, const Fingerprint&) = default;

 private:
  std::uint64_t value_ = 0;
};

class Fingerprinter {
 public:
  // Equal seeds and shapes give equal fingerprints. The seed should be 32 bytes of SystemRandom;
  // use one seed a tensor (for instance H(secret ‖ tensor name)).
  Fingerprinter(std::string_view seed, std::uint64_t rows, std::uint64_t cols);

  // REQUIRES: the column has the fingerprinter's rows and cols.
  Fingerprint OfColumn(const Column& column) const;
  // Of the ledger's range alone. REQUIRES: the range lies within the fingerprinter's rows and cols.
  Fingerprint OfLedger(const Ledger& ledger) const;

 private:
  std::vector<Fingerprint> x_;  // [rows]
  std::vector<Fingerprint> y_;  // [cols]
};

}  // namespace emend::storage::delta
