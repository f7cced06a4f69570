#include "worker/collective/exchange.h"

#include "tests/worker/collective/rank_group.h"

namespace emend::worker::collective::exchange_test {
namespace {

using test::IsOk;
using test::OnEachRank;
using test::StatusIs;

class ExchangeTest : public testing::TestWithParam<int> {};
INSTANTIATE_TEST_SUITE_P(Ranks, ExchangeTest, testing::Values(1, 2, 3));

std::string TextOf(int rank) {
  return std::string(static_cast<std::size_t>(rank) * 5, static_cast<char>('a' + rank));
}

TEST_P(ExchangeTest, BytesOfAnyLengthArrive) {
  OnEachRank(GetParam(), [&](Communicator& communicator) {
    for (int root = 0; root < communicator.size(); ++root) {
      ASSERT_OK_AND_ASSIGN(const std::string got,
                           BroadcastBytes(communicator, TextOf(communicator.rank()), root));
      EXPECT_EQ(got, TextOf(root));
    }
    ASSERT_OK_AND_ASSIGN(const std::vector<std::string> all,
                         AllGatherBytes(communicator, TextOf(communicator.rank())));
    ASSERT_EQ(all.size(), static_cast<std::size_t>(communicator.size()));
    for (int rank = 0; rank < communicator.size(); ++rank)
      EXPECT_EQ(all[static_cast<std::size_t>(rank)], TextOf(rank));
  });
}

TEST_P(ExchangeTest, AFailureIsEverybodys) {
  OnEachRank(GetParam(), [&](Communicator& communicator) {
    const int last = communicator.size() - 1;
    const Status full(StatusCode::kResourceExhausted, "disk_full", "writing a file:\nno space");
    EXPECT_THAT(AgreeOn(communicator, OkStatus()), IsOk());
    EXPECT_THAT(AgreeOn(communicator, communicator.rank() == last ? full : OkStatus()),
                StatusIs(StatusCode::kResourceExhausted, "disk_full"));
    const Result<std::string> own =
        communicator.rank() == last ? Result<std::string>(full) : Result<std::string>("not asked");
    EXPECT_THAT(BroadcastOutcome(communicator, own, last),
                StatusIs(StatusCode::kResourceExhausted, "disk_full"));
    ASSERT_OK_AND_ASSIGN(const std::string empty,
                         BroadcastOutcome(communicator, Result<std::string>(""), last));
    EXPECT_EQ(empty, "");
  });
}

}  // namespace
}  // namespace emend::worker::collective::exchange_test
