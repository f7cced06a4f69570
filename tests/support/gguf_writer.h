// GGUF files put together by hand, right or damaged.
//
//   GgufWriter writer;
//   writer.Text("general.architecture", "llama");
//   writer.Tensor("token_embd.weight", {512, 64}, kGgufF32, bytes);
//   const std::string file = writer.Build();
//
// What is said of the file (magic, version, counts, places) can be set to anything.
#pragma once

#include <bit>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace emend::test {

// Kinds of values, and types of tensors, as files number them.
inline constexpr std::uint32_t kGgufUint32 = 4, kGgufInt32 = 5, kGgufFloat32 = 6, kGgufBool = 7,
                               kGgufString = 8, kGgufArray = 9;
inline constexpr std::uint32_t kGgufF32 = 0, kGgufF16 = 1, kGgufQ8Zero = 8, kGgufBF16 = 30;

class GgufWriter {
 public:
  static std::string LittleEndian(std::uint64_t value, std::size_t size) {
    std::string bytes;
    for (std::size_t i = 0; i < size; ++i) bytes += static_cast<char>(value >> (8 * i));
    return bytes;
  }
  static std::string Counted(std::string_view text) {
    return LittleEndian(text.size(), 8) + std::string(text);
  }
  static std::string Bits(float value) {
    return LittleEndian(std::bit_cast<std::uint32_t>(value), 4);
  }

  // Any value of any kind.
  void Pair(const std::string& key, std::uint32_t type, const std::string& value) {
    pairs_ += Counted(key) + LittleEndian(type, 4) + value;
    ++pair_count;
  }
  void Integer(const std::string& key, std::uint32_t value) {
    Pair(key, kGgufUint32, LittleEndian(value, 4));
  }
  void Number(const std::string& key, float value) { Pair(key, kGgufFloat32, Bits(value)); }
  void Flag(const std::string& key, bool value) { Pair(key, kGgufBool, LittleEndian(value, 1)); }
  void Text(const std::string& key, std::string_view value) {
    Pair(key, kGgufString, Counted(value));
  }
  void Texts(const std::string& key, const std::vector<std::string>& values) {
    std::string list;
    for (const std::string& value : values) list += Counted(value);
    Array(key, kGgufString, values.size(), list);
  }
  void Integers(const std::string& key, const std::vector<std::int32_t>& values) {
    std::string list;
    for (const std::int32_t value : values)
      list += LittleEndian(static_cast<std::uint32_t>(value), 4);
    Array(key, kGgufInt32, values.size(), list);
  }
  void Numbers(const std::string& key, const std::vector<float>& values) {
    std::string list;
    for (const float value : values) list += Bits(value);
    Array(key, kGgufFloat32, values.size(), list);
  }
  void Array(const std::string& key, std::uint32_t type, std::uint64_t count,
             const std::string& values) {
    Pair(key, kGgufArray, LittleEndian(type, 4) + LittleEndian(count, 8) + values);
  }

  // `shape` outermost first. At its own place after the others, or at `offset`.
  void Tensor(const std::string& name, const std::vector<std::uint64_t>& shape, std::uint32_t type,
              const std::string& bytes, std::optional<std::uint64_t> offset = {}) {
    entries_ += Counted(name) + LittleEndian(shape.size(), 4);
    for (auto dimension = shape.rbegin(); dimension != shape.rend(); ++dimension)
      entries_ += LittleEndian(*dimension, 8);
    entries_ += LittleEndian(type, 4) + LittleEndian(offset.value_or(data_.size()), 8);
    data_ += bytes;
    Align(data_);
    ++tensor_count;
  }

  std::string Build() const {
    std::string file = magic + LittleEndian(version, 4) + LittleEndian(tensor_count, 8) +
                       LittleEndian(pair_count, 8) + pairs_ + entries_;
    Align(file);
    return file + data_;
  }

  std::string magic = "GGUF";
  std::uint32_t version = 3;
  std::uint64_t tensor_count = 0;
  std::uint64_t pair_count = 0;
  std::uint64_t alignment = 32;  // Pair("general.alignment", ...) says so to readers

 private:
  void Align(std::string& bytes) const {
    bytes.resize((bytes.size() + alignment - 1) / alignment * alignment, '\0');
  }

  std::string pairs_, entries_, data_;
};

}  // namespace emend::test
