#include "tests/support/seeded_random.h"

namespace emend::test {

std::string SeededRandom::Bytes(std::size_t size) {
  const std::lock_guard lock(mutex_);
  std::string bytes;
  while (bytes.size() < size) {
    const std::uint64_t value = engine_();
    bytes.append(reinterpret_cast<const char*>(&value), sizeof value);
  }
  bytes.resize(size);
  return bytes;
}

}  // namespace emend::test
