// What every back end must do, over every one of them. Ranks are threads.
#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <functional>

#include "tests/support/status_matchers.h"
#include "tests/worker/collective/rank_group.h"

namespace emend::worker::collective {
namespace {

using test::IsOk;
using test::StatusIs;

struct Backend {
  const char* name;
  int ranks;
};

class ConformanceTest : public testing::TestWithParam<Backend> {
 protected:
  int ranks() const { return GetParam().ranks; }

  void OnEachRank(const std::function<void(Communicator&)>& act) const {
    if (GetParam().name == std::string("single")) return act(*NewSingleRankCommunicator());
    test::OnEachRank(ranks(), act, /*piece_bytes=*/100);  // no multiple of an element: pieces are rounded
  }
};
INSTANTIATE_TEST_SUITE_P(Backends, ConformanceTest, testing::Values(Backend{"single", 1}, Backend{"tcp", 2}, Backend{"tcp", 3}, Backend{"tcp", 4}),
                         [](const auto& backend) { return std::string(backend.param.name) + std::to_string(backend.param.ranks); });

at::Tensor ValuesOf(int rank, at::ScalarType type) { return at::arange(1, 1 + 7 * 11, at::kDouble).view({7, 11}).mul(rank + 1).sub(30).to(type); }

TEST_P(ConformanceTest, SumsAndMaximaAreTheSameOnAllRanks) {
  for (const at::ScalarType type : {at::kFloat, at::kDouble, at::kLong}) {
    OnEachRank([&](Communicator& communicator) {
      at::Tensor sum = ValuesOf(communicator.rank(), type);
      at::Tensor expected = ValuesOf(0, type);
      at::Tensor largest = expected.clone();
      for (int rank = 1; rank < ranks(); ++rank) {
        expected = expected + ValuesOf(rank, type);
        largest = at::maximum(largest, ValuesOf(rank, type));
      }
      EXPECT_THAT(communicator.AllReduceSum(sum), IsOk());
      EXPECT_TRUE(at::equal(sum, expected));
      at::Tensor maximum = ValuesOf(communicator.rank(), type);
      EXPECT_THAT(communicator.AllReduceMax(maximum), IsOk());
      EXPECT_TRUE(at::equal(maximum, largest));
    });
  }
}

TEST_P(ConformanceTest, ATransposedTensorIsSummedWhereItLies) {
  OnEachRank([&](Communicator& communicator) {
    at::Tensor whole = ValuesOf(communicator.rank(), at::kFloat);
    at::Tensor turned = whole.t();
    at::Tensor straight = ValuesOf(communicator.rank(), at::kFloat);
    EXPECT_THAT(communicator.AllReduceSum(turned), IsOk());
    EXPECT_THAT(communicator.AllReduceSum(straight), IsOk());
    EXPECT_TRUE(at::equal(whole, straight));
  });
}

TEST_P(ConformanceTest, TheRootsTensorReachesAll) {
  OnEachRank([&](Communicator& communicator) {
    for (int root = 0; root < ranks(); ++root) {
      at::Tensor tensor = ValuesOf(communicator.rank(), at::kFloat);
      EXPECT_THAT(communicator.Broadcast(tensor, root), IsOk());
      EXPECT_TRUE(at::equal(tensor, ValuesOf(root, at::kFloat)));
    }
    at::Tensor tensor = ValuesOf(0, at::kFloat);
    EXPECT_THAT(communicator.Broadcast(tensor, ranks()), StatusIs(StatusCode::kInvalidArgument));
  });
}

TEST_P(ConformanceTest, GatheringStacksAndScatteringDeals) {
  OnEachRank([&](Communicator& communicator) {
    ASSERT_OK_AND_ASSIGN(const at::Tensor all, communicator.AllGather(ValuesOf(communicator.rank(), at::kDouble)));
    ASSERT_EQ(all.size(0), ranks());
    for (int rank = 0; rank < ranks(); ++rank) EXPECT_TRUE(at::equal(all[rank], ValuesOf(rank, at::kDouble)));

    const at::Tensor whole = at::arange(0, 5 * ranks(), at::kFloat).view({ranks(), 5});
    ASSERT_OK_AND_ASSIGN(const at::Tensor part, communicator.ReduceScatterSum(whole));
    EXPECT_TRUE(at::equal(part, whole.narrow(0, communicator.rank(), 1) * ranks()));
    EXPECT_TRUE(at::equal(whole, at::arange(0, 5 * ranks(), at::kFloat).view({ranks(), 5}))) << "the input stays as it was";
    EXPECT_THAT(communicator.Barrier(), IsOk());
  });
}

TEST_P(ConformanceTest, AnAbortedGroupRefusesEverything) {
  OnEachRank([&](Communicator& communicator) {
    communicator.Abort();
    at::Tensor tensor = ValuesOf(0, at::kFloat);
    EXPECT_THAT(communicator.AllReduceSum(tensor), StatusIs(StatusCode::kUnavailable));
    EXPECT_THAT(communicator.Barrier(), StatusIs(StatusCode::kUnavailable));
  });
}

}  // namespace
}  // namespace emend::worker::collective
