#include "tests/sim/fleet_sim.h"

#include <gtest/gtest.h>

namespace emend::test::fleet_sim_test {
namespace {

class FleetSimTest : public ::testing::TestWithParam<std::uint64_t> {};

TEST_P(FleetSimTest, NothingIsLostOrMixedAndTheRunRepeats) {
  const FleetSimulation::Options options{
      .seed = GetParam(), .groups = FleetOf(16), .operations = 300, .clients = 16};
  FleetSimulation first(options);
  first.Run();
  EXPECT_EQ(first.counts().at("operations"), 300U);
  EXPECT_GT(first.counts().at("answers"), 20U);
  FleetSimulation second(options);
  second.Run();
  EXPECT_EQ(second.events(), first.events());
  EXPECT_EQ(second.digest(), first.digest());
}

INSTANTIATE_TEST_SUITE_P(Seeds, FleetSimTest, ::testing::Values(1, 2));

}  // namespace
}  // namespace emend::test::fleet_sim_test
