// Random bytes as an interface: secrets and ids from the operating system in production, a seed in
// tests and the simulation (tests/support/seeded_random.h).
#pragma once

#include <cstdint>
#include <string>

namespace emend {

// Thread-safe.
class Random {
 public:
  virtual ~Random() = default;
  virtual std::string Bytes(std::size_t size) = 0;
  std::uint64_t U64();
  // Uniform in [0, bound). REQUIRES: bound > 0.
  std::uint64_t Below(std::uint64_t bound);
};

// The operating system's generator; fit for tokens and salts.
class SystemRandom final : public Random {
 public:
  std::string Bytes(std::size_t size) override;
};

}  // namespace emend
