// The simulation of coordinator_sim_test.cc over many more seeds: run by ./dev test --full.
#include <gtest/gtest.h>

#include "tests/sim/coordinator_sim.h"

namespace emend::test::coordinator_sim_long_test {
namespace {

class CoordinatorSimLongTest : public ::testing::TestWithParam<std::uint64_t> {};

TEST_P(CoordinatorSimLongTest, NothingIsLostOrMixed) {
  CoordinatorSimulation simulation(GetParam());
  simulation.Run();
  EXPECT_GT(simulation.history().commits, 0);
}

INSTANTIATE_TEST_SUITE_P(Seeds, CoordinatorSimLongTest, ::testing::Range<std::uint64_t>(11, 1011));

}  // namespace
}  // namespace emend::test::coordinator_sim_long_test
