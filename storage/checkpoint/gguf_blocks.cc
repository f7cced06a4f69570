#include "storage/checkpoint/gguf_blocks.h"

#include <array>
#include <bit>
#include <cstring>

namespace emend::storage::checkpoint {
namespace {

constexpr std::size_t kSmallBlock = 32;
constexpr std::size_t kLargeBlock = 256;

std::uint32_t LittleEndian(const std::uint8_t* bytes, std::size_t size) {
  std::uint32_t value = 0;
  for (std::size_t i = 0; i < size; ++i) value |= std::uint32_t{bytes[i]} << (8 * i);
  return value;
}

float FloatAt(const std::uint8_t* bytes) { return std::bit_cast<float>(LittleEndian(bytes, 4)); }

float BrainFloatAt(const std::uint8_t* bytes) {
  return std::bit_cast<float>(LittleEndian(bytes, 2) << 16);
}

// Every half is a float: exponents are moved by 112, and subnormals are so many of the smallest.
float HalfAt(const std::uint8_t* bytes) {
  constexpr float kSmallest = 0x1p-24F;
  const std::uint32_t half = LittleEndian(bytes, 2);
  const std::uint32_t sign = (half & 0x8000U) << 16;
  const std::uint32_t exponent = (half >> 10) & 0x1FU;
  const std::uint32_t fraction = half & 0x3FFU;
  if (exponent == 0) {
    const float magnitude = static_cast<float>(fraction) * kSmallest;
    return sign != 0 ? -magnitude : magnitude;
  }
  const std::uint32_t moved = exponent == 0x1F ? 0xFF : exponent + 112;
  return std::bit_cast<float>(sign | (moved << 23) | (fraction << 13));
}

template <float (*kAt)(const std::uint8_t*)>
void DequantiseOne(const std::uint8_t* block, float* values) {
  *values = kAt(block);
}

// The four bits of element `i` of a small block: the first half of the elements are the low ones.
int Nibble(const std::uint8_t* packed, std::size_t i) {
  constexpr std::size_t kHalf = kSmallBlock / 2;
  return i < kHalf ? packed[i] & 0xF : packed[i - kHalf] >> 4;
}

// d, q4[32]: d·(q − 8)
void DequantiseQ4Zero(const std::uint8_t* block, float* values) {
  const float scale = HalfAt(block);
  for (std::size_t i = 0; i < kSmallBlock; ++i)
    values[i] = scale * static_cast<float>(Nibble(block + 2, i) - 8);
}

// d, m, q4[32]: d·q + m
void DequantiseQ4One(const std::uint8_t* block, float* values) {
  const float scale = HalfAt(block);
  const float least = HalfAt(block + 2);
  for (std::size_t i = 0; i < kSmallBlock; ++i)
    values[i] = scale * static_cast<float>(Nibble(block + 4, i)) + least;
}

// Four bits of element `i`, and the fifth out of a word of them.
int FiveBits(std::uint32_t fifths, const std::uint8_t* packed, std::size_t i) {
  return Nibble(packed, i) | static_cast<int>(((fifths >> i) & 1U) << 4);
}

// d, fifth bits, q4[32]: d·(q − 16)
void DequantiseQ5Zero(const std::uint8_t* block, float* values) {
  const float scale = HalfAt(block);
  const std::uint32_t fifths = LittleEndian(block + 2, 4);
  for (std::size_t i = 0; i < kSmallBlock; ++i)
    values[i] = scale * static_cast<float>(FiveBits(fifths, block + 6, i) - 16);
}

// d, m, fifth bits, q4[32]: d·q + m
void DequantiseQ5One(const std::uint8_t* block, float* values) {
  const float scale = HalfAt(block);
  const float least = HalfAt(block + 2);
  const std::uint32_t fifths = LittleEndian(block + 4, 4);
  for (std::size_t i = 0; i < kSmallBlock; ++i)
    values[i] = scale * static_cast<float>(FiveBits(fifths, block + 8, i)) + least;
}

// d, q8[32]: d·q
void DequantiseQ8Zero(const std::uint8_t* block, float* values) {
  const float scale = HalfAt(block);
  for (std::size_t i = 0; i < kSmallBlock; ++i)
    values[i] = scale * static_cast<float>(static_cast<std::int8_t>(block[2 + i]));
}

// Scale and minimum of each of the eight parts of a large block, six bits each: those of the
// first four lie in the low bits of bytes 0 to 7, those of the last four in bytes 8 to 11 and
// the high bits of the others.
struct PartScale {
  float scale = 0;
  float least = 0;
};
PartScale ScaleOf(const std::uint8_t* block, const std::uint8_t* packed, std::size_t part) {
  unsigned scale = packed[part % 4] & 63U;
  unsigned least = packed[part % 4 + 4] & 63U;
  if (part >= 4) {
    scale = (packed[part + 4] & 0xFU) | ((packed[part - 4] >> 6U) << 4U);
    least = (packed[part + 4] >> 4U) | ((packed[part] >> 6U) << 4U);
  }
  return {HalfAt(block) * static_cast<float>(scale), HalfAt(block + 2) * static_cast<float>(least)};
}

// The four bits of element `i` of a large block: parts take turns in the low and the high ones.
unsigned LargeNibble(const std::uint8_t* packed, std::size_t i) {
  const std::uint8_t byte = packed[i / 64 * 32 + i % 32];
  return i / 32 % 2 == 0 ? byte & 0xFU : byte >> 4U;
}

// d, dmin, scales[12], q4[256]: d·scale·q − dmin·least
void DequantiseQ4K(const std::uint8_t* block, float* values) {
  for (std::size_t part = 0; part < 8; ++part) {
    const PartScale of = ScaleOf(block, block + 4, part);
    for (std::size_t i = part * 32; i < (part + 1) * 32; ++i)
      values[i] = of.scale * static_cast<float>(LargeNibble(block + 16, i)) - of.least;
  }
}

// d, dmin, scales[12], fifth bits [32 bytes, a bit a part], q4[256]
void DequantiseQ5K(const std::uint8_t* block, float* values) {
  for (std::size_t part = 0; part < 8; ++part) {
    const PartScale of = ScaleOf(block, block + 4, part);
    for (std::size_t i = part * 32; i < (part + 1) * 32; ++i) {
      const unsigned fifth = (block[16 + i % 32] >> part) & 1U;
      values[i] =
          of.scale * static_cast<float>(LargeNibble(block + 48, i) | (fifth << 4U)) - of.least;
    }
  }
}

// Low four bits [128 bytes], high two bits [64 bytes], a signed scale for every 16 elements
// [16 bytes], d: d·scale·(q − 32). Each half of the block has its own half of the first two.
void DequantiseQ6K(const std::uint8_t* block, float* values) {
  const float scale = HalfAt(block + 208);
  for (std::size_t i = 0; i < kLargeBlock; ++i) {
    const std::size_t half = i / 128;
    const std::size_t quarter = i % 128 / 32;
    const std::uint8_t low = block[half * 64 + quarter % 2 * 32 + i % 32];
    const std::uint8_t high = block[128 + half * 32 + i % 32];
    const unsigned bits =
        (quarter < 2 ? low & 0xFU : low >> 4U) | (((high >> (2 * quarter)) & 3U) << 4U);
    const auto part = static_cast<std::int8_t>(block[192 + i / 16]);
    values[i] = scale * static_cast<float>(part) * static_cast<float>(static_cast<int>(bits) - 32);
  }
}

constexpr auto kGgufTypes = std::to_array<GgufType>({
    {0, "F32", 1, 4, DequantiseOne<FloatAt>},
    {1, "F16", 1, 2, DequantiseOne<HalfAt>},
    {30, "BF16", 1, 2, DequantiseOne<BrainFloatAt>},
    {2, "Q4_0", kSmallBlock, 18, DequantiseQ4Zero},
    {3, "Q4_1", kSmallBlock, 20, DequantiseQ4One},
    {6, "Q5_0", kSmallBlock, 22, DequantiseQ5Zero},
    {7, "Q5_1", kSmallBlock, 24, DequantiseQ5One},
    {8, "Q8_0", kSmallBlock, 34, DequantiseQ8Zero},
    {12, "Q4_K", kLargeBlock, 144, DequantiseQ4K},
    {13, "Q5_K", kLargeBlock, 176, DequantiseQ5K},
    {14, "Q6_K", kLargeBlock, 210, DequantiseQ6K},
    // refused by name
    {9, "Q8_1"},
    {10, "Q2_K"},
    {11, "Q3_K"},
    {15, "Q8_K"},
    {16, "IQ2_XXS"},
    {17, "IQ2_XS"},
    {18, "IQ3_XXS"},
    {19, "IQ1_S"},
    {20, "IQ4_NL"},
    {21, "IQ3_S"},
    {22, "IQ2_S"},
    {23, "IQ4_XS"},
    {24, "I8"},
    {25, "I16"},
    {26, "I32"},
    {27, "I64"},
    {28, "F64"},
    {29, "IQ1_M"},
    {34, "TQ1_0"},
    {35, "TQ2_0"},
    {39, "MXFP4"},
    {40, "NVFP4"},
});

}  // namespace

const GgufType* FindGgufType(std::uint32_t number) {
  for (const GgufType& type : kGgufTypes) {
    if (type.number == number) return &type;
  }
  return nullptr;
}

std::string GgufTypesRead() {
  std::string names;
  for (const GgufType& type : kGgufTypes) {
    if (type.dequantise != nullptr) names += (names.empty() ? "" : ", ") + std::string(type.name);
  }
  return names;
}

}  // namespace emend::storage::checkpoint
