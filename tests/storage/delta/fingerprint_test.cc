#include "storage/delta/fingerprint.h"

#include <gtest/gtest.h>

#include "tests/storage/delta/delta_fixture.h"

namespace emend::storage::delta::fingerprint_test {
namespace {

constexpr std::uint64_t kP = Fingerprint::kModulus;

TEST(Fingerprint, IsArithmeticModuloAMersennePrime) {
  EXPECT_EQ(Fingerprint::FromU64(kP).value(), 0U);
  EXPECT_EQ(Fingerprint::FromU64(~std::uint64_t{0}).value(), 7U);
  EXPECT_EQ(Fingerprint::FromI64(-1).value(), kP - 1);
  EXPECT_EQ(Fingerprint::FromI64(std::numeric_limits<std::int64_t>::min()).value(), kP - 4);
  EXPECT_EQ((Fingerprint::FromI64(-1) * Fingerprint::FromI64(-1)).value(), 1U);
  EXPECT_EQ((Fingerprint::FromU64(std::uint64_t{1} << 60) * Fingerprint::FromU64(2)).value(), 1U);
  EXPECT_EQ((Fingerprint::FromU64(3) - Fingerprint::FromU64(5)).value(), kP - 2);
  EXPECT_EQ((Fingerprint::FromU64(kP - 1) + Fingerprint::FromU64(1)).value(), 0U);
}

class Fingerprints : public testing::Test {
 protected:
  static constexpr std::uint64_t kRows = 90;
  static constexpr std::uint64_t kCols = 70;

  Fingerprints() {
    for (const Column& column : columns_) {
      whole_.Add(column);
      expected_ = expected_ + fingerprinter_.OfColumn(column);
    }
  }

  Source source_{3};
  std::vector<Column> columns_ = source_.Columns(30, kRows, kCols);
  Fingerprinter fingerprinter_{"a secret seed", kRows, kCols};
  Ledger whole_{TensorRange{0, kRows, 0, kCols}};
  Fingerprint expected_;
};

TEST_F(Fingerprints, OfColumnsAddUpToTheLedgers) {
  EXPECT_EQ(fingerprinter_.OfLedger(whole_), expected_);
}

TEST_F(Fingerprints, OfShardsAddUpToTheTensors) {
  Fingerprint sum;
  for (const TensorRange& range : {TensorRange{0, 64, 0, 64}, TensorRange{0, 64, 64, kCols},
                                   TensorRange{64, kRows, 0, kCols}}) {
    Ledger shard(range);
    for (const Column& column : columns_) shard.Add(column);
    sum = sum + fingerprinter_.OfLedger(shard);
  }
  EXPECT_EQ(sum, expected_);
}

TEST_F(Fingerprints, RemovingSubtracts) {
  whole_.Remove(columns_[4]);
  EXPECT_EQ(fingerprinter_.OfLedger(whole_), expected_ - fingerprinter_.OfColumn(columns_[4]));
}

TEST_F(Fingerprints, DetectSingleFlippedBits) {
  for (int i = 0; i < 500; ++i) {
    Ledger flipped = whole_;
    flipped.mutable_values()[source_.Below(kRows * kCols)] ^= std::int64_t{1} << source_.Below(63);
    EXPECT_NE(fingerprinter_.OfLedger(flipped), expected_);
  }
}

TEST_F(Fingerprints, DependOnTheSeedAlone) {
  EXPECT_EQ(Fingerprinter("a secret seed", kRows, kCols).OfLedger(whole_), expected_);
  EXPECT_NE(Fingerprinter("another seed", kRows, kCols).OfLedger(whole_), expected_);
}

TEST_F(Fingerprints, HoldTheLargestElements) {
  Ledger ledger(TensorRange{0, kRows, 0, kCols});
  const Column large{32, std::vector<std::int16_t>(kRows, -32767),
                     std::vector<std::int16_t>(kCols, 32767)};
  ledger.Add(large);
  EXPECT_EQ(fingerprinter_.OfLedger(ledger), fingerprinter_.OfColumn(large));
}

}  // namespace
}  // namespace emend::storage::delta::fingerprint_test
