#include <gtest/gtest.h>

#include <set>

#include "tests/sim/coordinator_sim.h"

namespace emend::test::coordinator_sim_test {
namespace {

class CoordinatorSimTest : public ::testing::TestWithParam<std::uint64_t> {};

TEST_P(CoordinatorSimTest, NothingIsLostOrMixedAndTheRunRepeats) {
  CoordinatorSimulation first(GetParam());
  const std::vector<std::string> events = first.Run();
  EXPECT_GT(first.history().commits, 2);
  CoordinatorSimulation second(GetParam());
  EXPECT_EQ(second.Run(), events);
}

INSTANTIATE_TEST_SUITE_P(Seeds, CoordinatorSimTest, ::testing::Range<std::uint64_t>(1, 11));

TEST(CoordinatorSimulationTest, TheSeedsTogetherReachWhatTheyAreMeantToReach) {
  CoordinatorSimulation::Counts all;
  HistoryOracle::Counts made;
  std::set<std::vector<std::string>> logs;
  for (std::uint64_t seed = 1; seed <= 10; ++seed) {
    CoordinatorSimulation simulation(seed);
    logs.insert(simulation.Run());
    made.reverts += simulation.history().reverts;
    all.answers += simulation.counts().answers;
    all.failures += simulation.counts().failures;
    all.resumed += simulation.counts().resumed;
    made.coalesced += simulation.history().coalesced;
    all.overdue += simulation.counts().overdue;
  }
  EXPECT_EQ(logs.size(), 10U);
  EXPECT_GT(made.reverts, 5);
  EXPECT_GT(all.answers, 20);
  EXPECT_GT(all.failures, 0);
  EXPECT_GT(all.resumed, 5);
  EXPECT_GT(made.coalesced, 10);
  EXPECT_GT(all.overdue, 3);
}

}  // namespace
}  // namespace emend::test::coordinator_sim_test
