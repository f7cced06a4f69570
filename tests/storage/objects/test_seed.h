// The seed of a random test: printed, and taken from EMEND_TEST_SEED to replay a failure.
#pragma once

#include <cstdint>
#include <cstdlib>
#include <iostream>
#include <random>
#include <string>

namespace emend::test {

inline std::uint64_t TestSeed() {
  const char* given = std::getenv("EMEND_TEST_SEED");
  const std::uint64_t seed = given ? std::stoull(given) : std::random_device()();
  std::cout << "EMEND_TEST_SEED=" << seed << "\n";
  return seed;
}

}  // namespace emend::test
