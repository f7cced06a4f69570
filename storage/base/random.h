// Random bytes as an interface: secrets and ids from the operating system in production, a seed in
// tests and the simulation.
#pragma once

#include <cstdint>
#include <mutex>
#include <random>
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

// Same seed, same bytes. Never for secrets.
class SeededRandom final : public Random {
 public:
  explicit SeededRandom(std::uint64_t seed) : engine_(seed) {}
  std::string Bytes(std::size_t size) override;

 private:
  std::mutex mutex_;
  std::mt19937_64 engine_;  // guarded by mutex_
};

}  // namespace emend
