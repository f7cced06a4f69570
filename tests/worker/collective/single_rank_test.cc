#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "tests/support/status_matchers.h"
#include "worker/collective/communicator.h"

namespace emend::test::single_rank_test {
namespace {

using worker::collective::NewSingleRankCommunicator;

TEST(SingleRankTest, EveryCollectiveIsTheIdentity) {
  const auto communicator = NewSingleRankCommunicator();
  EXPECT_EQ(communicator->rank(), 0);
  EXPECT_EQ(communicator->size(), 1);
  const at::Tensor original = at::randn({2, 3});
  at::Tensor tensor = original.clone();
  EXPECT_THAT(communicator->AllReduceSum(tensor), IsOk());
  EXPECT_THAT(communicator->AllReduceMax(tensor), IsOk());
  EXPECT_THAT(communicator->Broadcast(tensor, 0), IsOk());
  EXPECT_THAT(communicator->Barrier(), IsOk());
  EXPECT_TRUE(at::equal(tensor, original));
  ASSERT_OK_AND_ASSIGN(const at::Tensor gathered, communicator->AllGather(tensor));
  EXPECT_TRUE(at::equal(gathered, original.unsqueeze(0)));
  ASSERT_OK_AND_ASSIGN(const at::Tensor scattered, communicator->ReduceScatterSum(tensor));
  EXPECT_TRUE(at::equal(scattered, original));
}

TEST(SingleRankTest, ABroadcastFromAnAbsentRankIsRefused) {
  at::Tensor tensor = at::zeros({1});
  EXPECT_THAT(NewSingleRankCommunicator()->Broadcast(tensor, 1),
              StatusIs(StatusCode::kInvalidArgument));
}

TEST(SingleRankTest, AfterAbortEveryCallIsRefused) {
  const auto communicator = NewSingleRankCommunicator();
  communicator->Abort();
  at::Tensor tensor = at::zeros({1});
  EXPECT_THAT(communicator->AllReduceSum(tensor), StatusIs(StatusCode::kUnavailable));
  EXPECT_THAT(communicator->AllReduceMax(tensor), StatusIs(StatusCode::kUnavailable));
  EXPECT_THAT(communicator->Broadcast(tensor, 0), StatusIs(StatusCode::kUnavailable));
  EXPECT_THAT(communicator->AllGather(tensor), StatusIs(StatusCode::kUnavailable));
  EXPECT_THAT(communicator->ReduceScatterSum(tensor), StatusIs(StatusCode::kUnavailable));
  EXPECT_THAT(communicator->Barrier(), StatusIs(StatusCode::kUnavailable));
}

}  // namespace
}  // namespace emend::test::single_rank_test
