// SHA-256 digests, their hex form, and a streaming hasher.
//
//   Digest d = Sha256(bytes);
//   std::string hex = d.Hex();             // 64 characters
//   Result<Digest> back = Digest::FromHex(hex);
//
// Thread-safety: Digest is a value; a Sha256Hasher belongs to one thread.
#pragma once

#include <array>
#include <compare>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "storage/base/status.h"

namespace emend {

struct Digest {
  static constexpr std::size_t kSize = 32;
  std::array<std::uint8_t, kSize> bytes{};

  std::string Hex() const;
  // The raw 32 bytes, for keys and encodings.
  std::string_view Raw() const { return {reinterpret_cast<const char*>(bytes.data()), kSize}; }
  bool IsZero() const;

  // kInvalidArgument unless `hex` is exactly 64 lower-case hex digits.
  static Result<Digest> FromHex(std::string_view hex);
  // kDataLoss unless `raw` is exactly 32 bytes.
  static Result<Digest> FromRaw(std::string_view raw);

  friend auto operator<=>(const Digest&, const Digest&) = default;
};

class Sha256Hasher {
 public:
  Sha256Hasher();
  ~Sha256Hasher();
  Sha256Hasher(const Sha256Hasher&) = delete;
  Sha256Hasher& operator=(const Sha256Hasher&) = delete;

  void Update(std::string_view bytes);
  // Ends the stream; the hasher may not be used afterwards.
  Digest Finish();

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

Digest Sha256(std::string_view bytes);

// CRC-32C (Castagnoli) of `bytes`: guards frames and log lines against accidents, not against
// malice.
std::uint32_t Crc32c(std::string_view bytes);

}  // namespace emend

template <>
struct std::hash<emend::Digest> {
  std::size_t operator()(const emend::Digest& digest) const noexcept;
};
