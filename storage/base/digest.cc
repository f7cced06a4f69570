#include "storage/base/digest.h"

#include <openssl/evp.h>

#include <algorithm>
#include <cstring>

namespace emend {
namespace {

int HexValue(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  return -1;
}

std::array<std::uint32_t, 256> MakeCrcTable() {
  constexpr std::uint32_t kReversedPolynomial = 0x82f63b78U;
  std::array<std::uint32_t, 256> table{};
  for (std::uint32_t i = 0; i < table.size(); ++i) {
    std::uint32_t value = i;
    for (int bit = 0; bit < 8; ++bit)
      value = (value >> 1) ^ ((value & 1U) != 0 ? kReversedPolynomial : 0U);
    table[i] = value;
  }
  return table;
}

std::uint32_t CrcByTable(std::uint32_t crc, std::string_view bytes) {
  static const std::array<std::uint32_t, 256> kTable = MakeCrcTable();
  for (const char c : bytes)
    crc = (crc >> 8) ^ kTable[(crc ^ static_cast<std::uint8_t>(c)) & 0xffU];
  return crc;
}

#ifdef __x86_64__
__attribute__((target("sse4.2"))) std::uint32_t CrcByInstruction(std::uint32_t crc,
                                                                 std::string_view bytes) {
  std::uint64_t wide = crc;
  while (bytes.size() >= sizeof(std::uint64_t)) {
    std::uint64_t word = 0;
    std::memcpy(&word, bytes.data(), sizeof word);
    wide = __builtin_ia32_crc32di(wide, word);
    bytes.remove_prefix(sizeof word);
  }
  return CrcByTable(static_cast<std::uint32_t>(wide), bytes);
}
#endif

}  // namespace

std::string Digest::Hex() const {
  static constexpr char kDigits[] = "0123456789abcdef";
  std::string hex;
  hex.reserve(2 * kSize);
  for (const std::uint8_t byte : bytes) {
    hex.push_back(kDigits[byte >> 4]);
    hex.push_back(kDigits[byte & 15]);
  }
  return hex;
}

bool Digest::IsZero() const {
  return std::all_of(bytes.begin(), bytes.end(), [](std::uint8_t byte) { return byte == 0; });
}

Result<Digest> Digest::FromHex(std::string_view hex) {
  if (hex.size() != 2 * kSize) {
    return InvalidArgument("an id was read: found " + std::to_string(hex.size()) +
                           " characters, expected 64 lower-case hex digits");
  }
  Digest digest;
  for (std::size_t i = 0; i < kSize; ++i) {
    const int high = HexValue(hex[2 * i]);
    const int low = HexValue(hex[2 * i + 1]);
    if (high < 0 || low < 0)
      return InvalidArgument("an id was read: \"" + std::string(hex) +
                             "\" is not 64 lower-case hex digits");
    digest.bytes[i] = static_cast<std::uint8_t>(high * 16 + low);
  }
  return digest;
}

Result<Digest> Digest::FromRaw(std::string_view raw) {
  if (raw.size() != kSize) {
    return DataLoss("a stored id was read: found " + std::to_string(raw.size()) +
                    " bytes, expected 32");
  }
  Digest digest;
  std::memcpy(digest.bytes.data(), raw.data(), kSize);
  return digest;
}

struct Sha256Hasher::Impl {
  EVP_MD_CTX* context = EVP_MD_CTX_new();
};

Sha256Hasher::Sha256Hasher() : impl_(std::make_unique<Impl>()) {
  EMEND_CHECK(
      impl_->context != nullptr && EVP_DigestInit_ex(impl_->context, EVP_sha256(), nullptr) == 1,
      "OpenSSL offers no SHA-256");
}

Sha256Hasher::~Sha256Hasher() { EVP_MD_CTX_free(impl_->context); }

void Sha256Hasher::Update(std::string_view bytes) {
  EMEND_CHECK(EVP_DigestUpdate(impl_->context, bytes.data(), bytes.size()) == 1,
              "SHA-256 update failed");
}

Digest Sha256Hasher::Finish() {
  Digest digest;
  unsigned int size = 0;
  EMEND_CHECK(
      EVP_DigestFinal_ex(impl_->context, digest.bytes.data(), &size) == 1 && size == Digest::kSize,
      "SHA-256 finish failed");
  return digest;
}

Digest Sha256(std::string_view bytes) {
  Sha256Hasher hasher;
  hasher.Update(bytes);
  return hasher.Finish();
}

std::uint32_t Crc32c(std::string_view bytes) {
#ifdef __x86_64__
  static const bool kHasInstruction = __builtin_cpu_supports("sse4.2") != 0;
  if (kHasInstruction) return ~CrcByInstruction(0xffffffffU, bytes);
#endif
  return ~CrcByTable(0xffffffffU, bytes);
}

}  // namespace emend

std::size_t std::hash<emend::Digest>::operator()(const emend::Digest& digest) const noexcept {
  std::size_t value = 0;
  std::memcpy(&value, digest.bytes.data(), sizeof value);
  return value;
}
