// The simulation of fleet_sim_test.cc at full size: run by ./dev test --full. One seed; another one
// by
//
//   EMEND_FLEET_SEED=7 build/tests/sim_fleet_sim_long_test
#include <gtest/gtest.h>

#include <cstdlib>
#include <iostream>

#include "tests/sim/fleet_sim.h"

namespace emend::test::fleet_sim_long_test {
namespace {

std::uint64_t Seed() {
  const char* const given = std::getenv("EMEND_FLEET_SEED");
  return given == nullptr ? 1 : std::stoull(given);
}

TEST(FleetSimLongTest, TenThousandOperationsOnSixtyFourWorkersLoseAndMixNothing) {
  FleetSimulation simulation(
      {.seed = Seed(), .groups = FleetOf(64), .operations = 10'000, .clients = 48, .flood = 700});
  simulation.Run();
  std::cout << "seed " << Seed() << ", events " << simulation.digest().Hex() << "\n";
  for (const auto& [what, count] : simulation.counts())
    std::cout << "  " << what << ": " << count << "\n";
  const auto count = [&](const std::string& what) {
    return simulation.counts().contains(what) ? simulation.counts().at(what) : 0;
  };
  EXPECT_EQ(count("operations"), 10'000U);
  for (const char* what : {"log: targets_shared", "log: group_formed", "log: operation_retried",
                           "fault: coordinator killed", "failed: cancelled"}) {
    EXPECT_GT(count(what), 0U) << what;
  }
}

}  // namespace
}  // namespace emend::test::fleet_sim_long_test
