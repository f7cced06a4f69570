#include "storage/delta/rounding.h"

#include <gtest/gtest.h>

#include <cmath>
#include <map>
#include <sstream>

#include "tests/storage/delta/delta_fixture.h"

namespace emend::storage::delta::rounding_test {
namespace {

struct Vector {
  DType dtype;
  std::uint32_t base;
  std::int64_t difference;
  std::uint32_t served;
};

std::vector<Vector> ReadVectors() {
  const std::map<std::string, DType> types = {
      {"bf16", DType::kBF16}, {"fp16", DType::kF16}, {"fp32", DType::kF32}};
  std::istringstream file(ReadFile("tests/golden/rounding-vectors.txt"));
  std::vector<Vector> vectors;
  for (std::string line; std::getline(file, line);) {
    if (line.empty() || line[0] == '#') continue;
    std::istringstream fields(line);
    std::string type;
    Vector vector{};
    fields >> type >> std::hex >> vector.base >> std::dec >> vector.difference >> std::hex >>
        vector.served;
    EXPECT_FALSE(fields.fail()) << line;
    vector.dtype = types.at(type);
    vectors.push_back(vector);
  }
  return vectors;
}

bool IsInfinite(DType dtype, std::uint32_t bits) {
  if (dtype == DType::kF32) return (bits & 0x7fffffffU) == 0x7f800000U;
  return (bits & 0x7fffU) == (dtype == DType::kF16 ? 0x7c00U : 0x7f80U);
}

TEST(Rounding, AgreesWithEveryKnownAnswer) {
  const std::vector<Vector> vectors = ReadVectors();
  ASSERT_GE(vectors.size(), 7000U);
  for (const Vector& vector : vectors) {
    const RoundedElement found = RoundElement(vector.dtype, vector.base, vector.difference);
    EXPECT_EQ(found.bits, vector.served) << DTypeName(vector.dtype) << std::hex << " "
                                         << vector.base << std::dec << " " << vector.difference;
    EXPECT_EQ(found.finite, !IsInfinite(vector.dtype, vector.served));
  }
}

TEST(Rounding, ArraysAgreeWithEveryKnownAnswerToo) {
  for (const Vector& vector : ReadVectors()) {
    const std::size_t size = ElementBytes(vector.dtype);
    Bytes bytes(size);
    std::memcpy(bytes.data(), &vector.base, size);
    const std::size_t place =
        RoundElements(vector.dtype, bytes, std::span(&vector.difference, 1), bytes);
    if (IsInfinite(vector.dtype, vector.served)) {
      EXPECT_EQ(place, 0U);
      continue;
    }
    ASSERT_EQ(place, 1U);
    EXPECT_EQ(std::memcmp(bytes.data(), &vector.served, size), 0);
  }
}

TEST(Rounding, NegativeZeroSurvivesADifferenceOfZero) {
  EXPECT_EQ(RoundElement(DType::kBF16, 0x8000, 0).bits, 0x8000U);
  EXPECT_EQ(RoundElement(DType::kF16, 0x8000, 0).bits, 0x8000U);
  EXPECT_EQ(RoundElement(DType::kF32, 0x80000000U, 0).bits, 0x80000000U);
}

TEST(Rounding, EveryFiniteBaseComesBackUnchangedWithoutADifference) {
  for (std::uint32_t bits = 0; bits < 0x10000; ++bits) {
    for (const DType dtype : {DType::kBF16, DType::kF16}) {
      const RoundedElement found = RoundElement(dtype, bits, 0);
      EXPECT_EQ(found.bits, bits);
      EXPECT_EQ(found.finite, (bits & 0x7fffU) < (dtype == DType::kF16 ? 0x7c00U : 0x7f80U));
    }
  }
}

TEST(Rounding, RefusesBasesThatAreNotFinite) {
  for (const std::uint32_t bits : {0x7f80U, 0xff80U, 0x7fc0U, 0xffffU})
    EXPECT_FALSE(RoundElement(DType::kBF16, bits, 5).finite);
  for (const std::uint32_t bits : {0x7c00U, 0xfc00U, 0x7e00U})
    EXPECT_FALSE(RoundElement(DType::kF16, bits, 0).finite);
  for (const std::uint32_t bits : {0x7f800000U, 0xffc00000U})
    EXPECT_FALSE(RoundElement(DType::kF32, bits, -5).finite);
}

// x86's 80-bit long double holds W0 + G·D exactly for these ranges, and the compiler rounds it to
// float once.
TEST(Rounding, AgreesWithTheProcessorOnFp32) {
  if (std::numeric_limits<long double>::digits < 64)
    GTEST_SKIP() << "long double is no wider than double here";
  Source source(1);
  for (int i = 0; i < 200000; ++i) {
    const auto base = static_cast<float>(source.Normal(0.02));
    const auto difference = static_cast<std::int64_t>(
        source.Normal(std::ldexp(1.0, static_cast<int>(source.Below(50)))));
    const auto expected =
        static_cast<float>(static_cast<long double>(base) +
                           std::ldexp(static_cast<long double>(difference), kGridExponent));
    if (difference == 0) continue;
    ASSERT_EQ(RoundElement(DType::kF32, std::bit_cast<std::uint32_t>(base), difference).bits,
              std::bit_cast<std::uint32_t>(expected))
        << base << " " << difference;
  }
}

TEST(Rounding, ArrayNamesTheFirstElementThatIsNotFinite) {
  const std::vector<std::uint16_t> base = {0x3f80, 0x3f80, 0x7f80, 0x7fc0};
  const Bytes bytes(reinterpret_cast<const std::uint8_t*>(base.data()),
                    reinterpret_cast<const std::uint8_t*>(base.data() + base.size()));
  const std::vector<std::int64_t> differences = {0, 1, 0, 0};
  Bytes served(bytes.size());
  EXPECT_EQ(RoundElements(DType::kBF16, bytes, differences, served), 2U);
}

}  // namespace
}  // namespace emend::storage::delta::rounding_test
