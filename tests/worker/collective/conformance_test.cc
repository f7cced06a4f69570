// What every back end must do, over every one of them. Ranks are threads; or processes, if
// tests/gpu/ranks.py started them, over the back end that it says.
#include <ATen/ATen.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "tests/support/status_matchers.h"
#include "tests/worker/collective/process_rank.h"
#include "tests/worker/collective/rank_group.h"
#include "worker/collective/nccl_communicator.h"

namespace emend::worker::collective::conformance_test {
namespace {

using test::IsOk;
using test::ProcessRank;
using test::StatusIs;

std::optional<ProcessRank>& Process() {
  static std::optional<ProcessRank> process = ProcessRank::FromEnvironment();
  return process;
}

struct Backend {
  std::string name;
  int ranks;
};

std::vector<Backend> Backends() {
  if (Process()) return {{Process()->backend(), Process()->size()}};
  return {{"single", 1},    {"tcp", 2},       {"tcp", 3},       {"tcp", 4},
          {"fake_nccl", 1}, {"fake_nccl", 2}, {"fake_nccl", 3}, {"fake_nccl", 4}};
}

// NCCL's own, over host memory: fake_nccl.cc.
const NcclOptions kFakeNccl{.device = at::kCPU, .paths = {EMEND_TEST_NCCL, EMEND_TEST_NCCL}};

class ConformanceTest : public testing::TestWithParam<Backend> {
 protected:
  int ranks() const { return GetParam().ranks; }

  // Where the back end's own tensors lie.
  static at::Tensor There(const at::Tensor& tensor) {
    return Process() ? tensor.to(Process()->device()) : tensor;
  }
  static bool Same(const at::Tensor& found, const at::Tensor& expected) {
    return at::equal(found.cpu(), expected.cpu());
  }

  void OnEachRank(const std::function<void(Communicator&)>& act) const {
    LineOptions options;
    options.piece_bytes = 100;  // no multiple of an element: pieces are rounded
    if (Process()) return act(*Process()->Join());
    if (GetParam().name == "single") return act(*NewSingleRankCommunicator());
    if (GetParam().name == "tcp") return test::OnEachRank(ranks(), act, options.piece_bytes);
    test::OnEachLine(ranks(), options, [&](std::unique_ptr<Line> line) {
      ASSERT_OK_AND_ASSIGN(const auto communicator,
                           NewNcclCommunicator(std::move(line), kFakeNccl));
      act(*communicator);
    });
  }
};
INSTANTIATE_TEST_SUITE_P(Backends, ConformanceTest, testing::ValuesIn(Backends()),
                         [](const auto& backend) {
                           return backend.param.name + std::to_string(backend.param.ranks);
                         });

at::Tensor ValuesOf(int rank, at::ScalarType type) {
  return at::arange(1, 1 + 7 * 11, at::kDouble).view({7, 11}).mul(rank + 1).sub(30).to(type);
}

TEST_P(ConformanceTest, SumsAndMaximaAreTheSameOnAllRanks) {
  for (const at::ScalarType type : {at::kFloat, at::kDouble, at::kLong}) {
    OnEachRank([&](Communicator& communicator) {
      at::Tensor sum = There(ValuesOf(communicator.rank(), type));
      at::Tensor expected = ValuesOf(0, type);
      at::Tensor largest = expected.clone();
      for (int rank = 1; rank < ranks(); ++rank) {
        expected = expected + ValuesOf(rank, type);
        largest = at::maximum(largest, ValuesOf(rank, type));
      }
      EXPECT_THAT(communicator.AllReduceSum(sum), IsOk());
      EXPECT_TRUE(Same(sum, expected));
      at::Tensor maximum = There(ValuesOf(communicator.rank(), type));
      EXPECT_THAT(communicator.AllReduceMax(maximum), IsOk());
      EXPECT_TRUE(Same(maximum, largest));
    });
  }
}

TEST_P(ConformanceTest, ATransposedTensorIsSummedWhereItLies) {
  OnEachRank([&](Communicator& communicator) {
    at::Tensor whole = There(ValuesOf(communicator.rank(), at::kFloat));
    at::Tensor turned = whole.t();
    at::Tensor straight = There(ValuesOf(communicator.rank(), at::kFloat));
    EXPECT_THAT(communicator.AllReduceSum(turned), IsOk());
    EXPECT_THAT(communicator.AllReduceSum(straight), IsOk());
    EXPECT_TRUE(Same(whole, straight));
  });
}

TEST_P(ConformanceTest, TheRootsTensorReachesAll) {
  OnEachRank([&](Communicator& communicator) {
    for (int root = 0; root < ranks(); ++root) {
      at::Tensor tensor = There(ValuesOf(communicator.rank(), at::kFloat));
      EXPECT_THAT(communicator.Broadcast(tensor, root), IsOk());
      EXPECT_TRUE(Same(tensor, ValuesOf(root, at::kFloat)));
    }
    at::Tensor tensor = There(ValuesOf(0, at::kFloat));
    EXPECT_THAT(communicator.Broadcast(tensor, ranks()), StatusIs(StatusCode::kInvalidArgument));
  });
}

TEST_P(ConformanceTest, GatheringStacksAndScatteringDeals) {
  OnEachRank([&](Communicator& communicator) {
    ASSERT_OK_AND_ASSIGN(const at::Tensor all,
                         communicator.AllGather(There(ValuesOf(communicator.rank(), at::kDouble))));
    ASSERT_EQ(all.size(0), ranks());
    for (int rank = 0; rank < ranks(); ++rank)
      EXPECT_TRUE(Same(all[rank], ValuesOf(rank, at::kDouble)));

    const at::Tensor whole = There(at::arange(0, 5 * ranks(), at::kFloat).view({ranks(), 5}));
    ASSERT_OK_AND_ASSIGN(const at::Tensor part, communicator.ReduceScatterSum(whole));
    EXPECT_TRUE(Same(part, whole.narrow(0, communicator.rank(), 1) * ranks()));
    EXPECT_TRUE(Same(whole, at::arange(0, 5 * ranks(), at::kFloat).view({ranks(), 5})))
        << "the input stays as it was";
    EXPECT_THAT(communicator.Barrier(), IsOk());
  });
}

TEST_P(ConformanceTest, TensorsOnTheCpuTravelToo) {
  OnEachRank([&](Communicator& communicator) {
    at::Tensor sum = at::full({3}, communicator.rank(), at::kLong);
    EXPECT_THAT(communicator.AllReduceSum(sum), IsOk());
    EXPECT_TRUE(Same(sum, at::full({3}, ranks() * (ranks() - 1) / 2, at::kLong)));
    at::Tensor there = There(sum);
    EXPECT_THAT(communicator.Broadcast(there, 0), IsOk());
    EXPECT_TRUE(Same(there, sum));
  });
}

TEST_P(ConformanceTest, NothingAndALotTravelAsWell) {
  OnEachRank([&](Communicator& communicator) {
    for (const std::int64_t count : {std::int64_t{0}, std::int64_t{1}, std::int64_t{300'000}}) {
      at::Tensor tensor = There(at::full({count}, 1.0, at::kDouble));
      EXPECT_THAT(communicator.AllReduceSum(tensor), IsOk());
      EXPECT_TRUE(Same(tensor, at::full({count}, static_cast<double>(ranks()), at::kDouble)));
    }
  });
}

TEST_P(ConformanceTest, WhatCannotTravelIsRefusedAndHarmsNothing) {
  if (GetParam().name == "single") return;  // takes anything
  OnEachRank([&](Communicator& communicator) {
    at::Tensor half = There(at::ones({4}, at::kHalf));
    EXPECT_THAT(communicator.AllReduceSum(half), StatusIs(StatusCode::kInvalidArgument));
    EXPECT_THAT(communicator.Broadcast(half, 0), StatusIs(StatusCode::kInvalidArgument));
    EXPECT_THAT(communicator.AllGather(half), StatusIs(StatusCode::kInvalidArgument));
    EXPECT_THAT(communicator.Barrier(), IsOk());
    if (ranks() > 1) {
      EXPECT_THAT(communicator.ReduceScatterSum(There(at::ones({ranks() + 1}, at::kFloat))),
                  StatusIs(StatusCode::kInvalidArgument));
    }
    EXPECT_THAT(communicator.Barrier(), IsOk());
  });
}

TEST_P(ConformanceTest, AnotherShapeOnOneRankEndsAllOfThem) {
  if (ranks() == 1) return;  // one rank agrees with itself
  OnEachRank([&](Communicator& communicator) {
    at::Tensor tensor = There(at::ones({communicator.rank() == 1 ? 5 : 4}, at::kFloat));
    const Status status = communicator.AllReduceSum(tensor);
    EXPECT_FALSE(status.ok());
    if (status.slug() == "collective_mismatch") {
      EXPECT_THAT(status, StatusIs(StatusCode::kInternal, "collective_mismatch"));
      EXPECT_THAT(status.message(), testing::HasSubstr("all_reduce_sum"));
    } else {
      EXPECT_THAT(status, StatusIs(StatusCode::kUnavailable, "group_lost"));
    }
    EXPECT_THAT(status.message(),
                testing::HasSubstr("rank " + std::to_string(communicator.rank()) + " of " +
                                   std::to_string(ranks()) + ", generation"));
    EXPECT_FALSE(communicator.AllReduceSum(tensor).ok()) << "it has ended for good";
    EXPECT_FALSE(communicator.Barrier().ok());
  });
}

TEST_P(ConformanceTest, AnotherOperationOnOneRankEndsAllOfThem) {
  if (ranks() == 1) return;
  OnEachRank([&](Communicator& communicator) {
    at::Tensor tensor = There(at::ones({4}, at::kFloat));
    EXPECT_FALSE((communicator.rank() == 0 ? communicator.AllReduceMax(tensor)
                                           : communicator.AllReduceSum(tensor))
                     .ok());
  });
}

TEST_P(ConformanceTest, AnAbortedGroupRefusesEverything) {
  OnEachRank([&](Communicator& communicator) {
    communicator.Abort();
    at::Tensor tensor = There(ValuesOf(0, at::kFloat));
    EXPECT_THAT(communicator.AllReduceSum(tensor), StatusIs(StatusCode::kUnavailable));
    EXPECT_THAT(communicator.Broadcast(tensor, 0), StatusIs(StatusCode::kUnavailable));
    EXPECT_THAT(communicator.AllGather(tensor), StatusIs(StatusCode::kUnavailable));
    EXPECT_THAT(communicator.Barrier(), StatusIs(StatusCode::kUnavailable));
  });
}

}  // namespace
}  // namespace emend::worker::collective::conformance_test
