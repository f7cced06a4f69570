// What the tests of storage/delta share: random tensors and columns from a seed, and files of the
// checkout.
#pragma once

#include <gtest/gtest.h>

#include <bit>
#include <cstring>
#include <fstream>
#include <iterator>
#include <random>
#include <span>
#include <string>
#include <vector>

#include "storage/delta/column.h"
#include "storage/delta/dtype.h"
#include "storage/delta/rounding.h"

namespace emend::storage::delta {

using Bytes = std::vector<std::uint8_t>;

class Source {
 public:
  explicit Source(std::uint64_t seed) : engine_(seed) {}

  std::uint64_t Below(std::uint64_t bound) {
    return std::uniform_int_distribution<std::uint64_t>(0, bound - 1)(engine_);
  }
  double Normal(double deviation) {
    return std::normal_distribution<double>(0, deviation)(engine_);
  }

  std::vector<std::int16_t> Factor(std::uint64_t size) {
    std::vector<std::int16_t> factor(size);
    for (std::int16_t& value : factor)
      value = static_cast<std::int16_t>(static_cast<int>(Below(65536)) - 32768);
    return factor;
  }
  // Steps of up to 2^(shift-18), the size of real edits for shifts of 6 to 12.
  Column RandomColumn(std::uint64_t rows, std::uint64_t cols) {
    return {static_cast<std::uint8_t>(Below(13)), Factor(rows), Factor(cols)};
  }
  std::vector<Column> Columns(std::size_t count, std::uint64_t rows, std::uint64_t cols) {
    std::vector<Column> columns;
    for (std::size_t i = 0; i < count; ++i) columns.push_back(RandomColumn(rows, cols));
    return columns;
  }

  // Weights of deviation 0.02, every eighth one of +0, -0 or a subnormal.
  Bytes Weights(DType dtype, std::uint64_t count) {
    Bytes bytes;
    for (std::uint64_t i = 0; i < count; ++i) {
      const std::uint32_t bits = Below(8) == 0 ? SpecialBits(dtype) : ToBits(dtype, Normal(0.02));
      for (std::size_t b = 0; b < ElementBytes(dtype); ++b)
        bytes.push_back(static_cast<std::uint8_t>(bits >> (8 * b)));
    }
    return bytes;
  }

 private:
  // Through the rounding routine itself: any finite weight will do.
  static std::uint32_t ToBits(DType dtype, double value) {
    return RoundElement(dtype, 0, static_cast<std::int64_t>(std::ldexp(value, 48))).bits;
  }

  std::uint32_t SpecialBits(DType dtype) {
    const std::uint32_t sign = Below(2) == 0 ? 0U : 1U << (8 * ElementBytes(dtype) - 1);
    return sign | static_cast<std::uint32_t>(Below(2));
  }

  std::mt19937_64 engine_;
};

inline std::vector<const Column*> Pointers(const std::vector<Column>& columns) {
  std::vector<const Column*> pointers;
  for (const Column& column : columns) pointers.push_back(&column);
  return pointers;
}

inline std::string ReadFile(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  EXPECT_TRUE(file.good()) << path;
  return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

}  // namespace emend::storage::delta
