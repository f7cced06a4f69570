#include "worker/edit/thread_team.h"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <stdexcept>

namespace emend::worker::edit::thread_team_test {
namespace {

class ThreadTeamTest : public ::testing::TestWithParam<int> {};
INSTANTIATE_TEST_SUITE_P(Threads, ThreadTeamTest, ::testing::Values(1, 2, 5));

TEST_P(ThreadTeamTest, EveryPieceRunsOnce) {
  ThreadTeam team(GetParam());
  for (int round = 0; round < 20; ++round) {
    std::vector<std::atomic<int>> runs(101);
    team.ForEach(101, [&](std::int64_t i) { ++runs[i]; });
    for (const std::atomic<int>& count : runs) EXPECT_EQ(count, 1);
  }
  team.ForEach(0, [](std::int64_t) { FAIL() << "there is no piece"; });
}

TEST_P(ThreadTeamTest, WhatAPieceThrowsReachesTheCallerAndTheTeamGoesOn) {
  ThreadTeam team(GetParam());
  EXPECT_THROW(team.ForEach(50,
                            [](std::int64_t i) {
                              if (i == 7) throw std::runtime_error("piece 7");
                            }),
               std::runtime_error);
  std::atomic<int> runs = 0;
  team.ForEach(50, [&](std::int64_t) { ++runs; });
  EXPECT_EQ(runs, 50);
}

TEST(ThreadTeamTest, PiecesRunOnOneThreadAndTheCallersCountIsKept) {
  const int before = at::get_num_threads();
  at::set_num_threads(2);
  {
    ThreadTeam team(3);
    std::atomic<int> wrong = 0;
    team.ForEach(30, [&](std::int64_t) { wrong += at::get_num_threads() != 1; });
    EXPECT_EQ(wrong, 0);
  }
  EXPECT_EQ(at::get_num_threads(), 2);
  at::set_num_threads(before);
}

}  // namespace
}  // namespace emend::worker::edit::thread_team_test
