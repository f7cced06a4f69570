#include "storage/base/random.h"

#include <openssl/rand.h>

#include <cstring>

#include "storage/base/check.h"

namespace emend {

std::uint64_t Random::U64() {
  std::uint64_t value = 0;
  std::memcpy(&value, Bytes(sizeof value).data(), sizeof value);
  return value;
}

std::uint64_t Random::Below(std::uint64_t bound) {
  EMEND_CHECK(bound > 0, "a random number below zero was asked for");
  // Values in the last, partial run of `bound` are drawn again: they would make the low numbers
  // likelier.
  const std::uint64_t limit = ~std::uint64_t{0} - (~std::uint64_t{0} % bound + 1) % bound;
  std::uint64_t value = U64();
  while (value > limit) value = U64();
  return value % bound;
}

std::string SystemRandom::Bytes(std::size_t size) {
  std::string bytes(size, '\0');
  EMEND_CHECK(
      RAND_bytes(reinterpret_cast<unsigned char*>(bytes.data()), static_cast<int>(size)) == 1,
      "the operating system gave no random bytes");
  return bytes;
}

}  // namespace emend
