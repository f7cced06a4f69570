// Probing a group of threads, and what is advised on doctored findings.
#include "worker/collective/probe.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <mutex>

#include "tests/support/status_matchers.h"
#include "tests/worker/collective/rank_group.h"

namespace emend::worker::collective::probe_test {
namespace {

using test::IsOk;
using testing::ElementsAre;
using testing::HasSubstr;

class ProbeTest : public testing::TestWithParam<int> {};
INSTANTIATE_TEST_SUITE_P(Ranks, ProbeTest, testing::Values(1, 2, 3, 4, 5));

TEST_P(ProbeTest, EveryRankLearnsOfAllRanksAndAllPairs) {
  const auto size = static_cast<std::size_t>(GetParam());
  const auto begin = std::chrono::steady_clock::now();
  test::OnEachRank(GetParam(), [&](Communicator& communicator) {
    const ProbeOptions options{.host = "127.0.0.1",
                               .device = "cpu",
                               .threads = communicator.rank() + 1,
                               .over_nccl = false,
                               .nccl = {.nccl = EMEND_TEST_NCCL, .cuda_runtime = EMEND_TEST_NCCL}};
    ASSERT_OK_AND_ASSIGN(const GroupProbe probe, ProbeGroup(communicator, options));
    ASSERT_EQ(probe.ranks.size(), size);
    for (std::size_t rank = 0; rank < size; ++rank) {
      EXPECT_EQ(probe.ranks[rank].rank, static_cast<std::int32_t>(rank));
      EXPECT_EQ(probe.ranks[rank].threads, static_cast<std::int32_t>(rank) + 1);
      EXPECT_EQ(probe.ranks[rank].interface, "lo");
      EXPECT_TRUE(probe.ranks[rank].is_loopback);
      EXPECT_EQ(probe.ranks[rank].nccl_version, "2.28.9");
      EXPECT_FALSE(probe.ranks[rank].host_name.empty());
      EXPECT_GT(probe.ranks[rank].cores, 0);
      EXPECT_GT(probe.ranks[rank].memory_free, 0U);
      EXPECT_LE(probe.ranks[rank].memory_free, probe.ranks[rank].memory_bytes);
    }
    ASSERT_EQ(probe.links.size(), size * (size - 1) / 2);
    std::size_t next = 0;
    for (std::int32_t lower = 0; lower < GetParam(); ++lower) {
      for (std::int32_t upper = lower + 1; upper < GetParam(); ++upper) {
        const LinkProbe& link = probe.links[next++];
        EXPECT_EQ(std::pair(link.lower, link.upper), std::pair(lower, upper));
        EXPECT_TRUE(link.reached) << link.why_not;
        EXPECT_GT(link.latency_us, 0);
        EXPECT_GT(link.gigabytes_per_second, 0);
      }
    }
    EXPECT_THAT(communicator.Barrier(), IsOk()) << "the group itself goes on";
  });
  EXPECT_LT(std::chrono::steady_clock::now() - begin, std::chrono::seconds(10));
}

TEST(ProbeGroupTest, ARankThatCannotBeReachedIsALineInTheAnswer) {
  test::OnEachRank(3, [&](Communicator& communicator) {
    // 192.0.2.0/24 is nobody's: the port cannot even be opened.
    const ProbeOptions options{.host = communicator.rank() == 1 ? "192.0.2.77" : "127.0.0.1"};
    ASSERT_OK_AND_ASSIGN(const GroupProbe probe, ProbeGroup(communicator, options));
    ASSERT_EQ(probe.links.size(), 3U);
    EXPECT_FALSE(probe.links[0].reached);
    EXPECT_TRUE(probe.links[1].reached) << "ranks 0 and 2";
    EXPECT_FALSE(probe.links[2].reached);
    EXPECT_THAT(probe.links[0].why_not, HasSubstr("rank 1 could not open a port"));
    EXPECT_TRUE(probe.ranks[1].interface.empty());
    EXPECT_THAT(communicator.Barrier(), IsOk());
    const std::vector<Advice> advice = Advise(probe);
    ASSERT_GE(advice.size(), 2U);
    EXPECT_EQ(advice[0].code, "unreachable");
    EXPECT_EQ(advice[0].severity, Severity::kError);
  });
}

// ---- advice ------------------------------------------------------------------------------------

RankProbe GoodRank(std::int32_t rank, const std::string& host) {
  RankProbe probe;
  probe.rank = rank;
  probe.host_name = host;
  probe.address = "10.0.0." + std::to_string(rank + 1);
  probe.interface = "eth0";
  probe.device = "cuda:" + std::to_string(rank);
  probe.over_nccl = true;
  probe.nccl_version = "2.28.9";
  probe.threads = 4;
  probe.cores = 16;
  probe.memory_bytes = probe.memory_free = std::uint64_t{64} << 30;
  probe.shm_bytes = probe.shm_free = std::uint64_t{8} << 30;
  return probe;
}

// Four ranks on two machines, with which nothing is wrong.
GroupProbe GoodGroup() {
  GroupProbe probe;
  for (std::int32_t rank = 0; rank < 4; ++rank)
    probe.ranks.push_back(GoodRank(rank, rank < 2 ? "a" : "b"));
  for (std::int32_t lower = 0; lower < 4; ++lower) {
    for (std::int32_t upper = lower + 1; upper < 4; ++upper)
      probe.links.push_back({lower, upper, true, "", 60, 1.1});
  }
  return probe;
}

std::vector<std::string> CodesOf(const GroupProbe& probe) {
  std::vector<std::string> codes;
  for (const Advice& advice : Advise(probe)) {
    codes.push_back(advice.code);
    EXPECT_FALSE(advice.found.empty() || advice.expected.empty() || advice.action.empty())
        << advice.code;
  }
  return codes;
}

TEST(AdviceTest, NothingIsSaidOfAGroupWithWhichNothingIsWrong) {
  EXPECT_THAT(CodesOf(GoodGroup()), ElementsAre());
}

TEST(AdviceTest, AShortDevShmIsNamedWhereNcclUsesIt) {
  GroupProbe probe = GoodGroup();
  probe.ranks[2].shm_bytes = 64'000'000;
  EXPECT_THAT(CodesOf(probe), ElementsAre("shm_small"));
  EXPECT_EQ(Advise(probe)[0].found, "rank 2 (b) has 64 MB of /dev/shm");
  probe.ranks[2].over_nccl = false;
  EXPECT_THAT(CodesOf(probe), ElementsAre());
}

TEST(AdviceTest, NcclThatIsMissingOrDiffersIsAnError) {
  GroupProbe probe = GoodGroup();
  probe.ranks[3].nccl_version = "2.30.7";
  EXPECT_THAT(CodesOf(probe), ElementsAre("nccl_versions_differ"));
  EXPECT_THAT(Advise(probe)[0].found, HasSubstr("2.28.9, 2.30.7"));
  probe.ranks[3].nccl_version = "";
  probe.ranks[3].nccl_missing = "opening libnccl.so.2: no such file";
  EXPECT_THAT(CodesOf(probe), ElementsAre("nccl_missing"));
  EXPECT_EQ(Advise(probe)[0].severity, Severity::kError);
  for (RankProbe& rank : probe.ranks) {
    rank.device = "cpu";
    rank.over_nccl = false;
    rank.nccl_version = "";
  }
  EXPECT_THAT(CodesOf(probe), ElementsAre()) << "CPUs need none";
}

TEST(AdviceTest, MixedDevicesAreAnError) {
  GroupProbe probe = GoodGroup();
  probe.ranks[1].device = "cpu";
  EXPECT_THAT(CodesOf(probe), ElementsAre("devices_differ"));
}

TEST(AdviceTest, RanksOfOneMachineAreSentToTheLoopback) {
  GroupProbe probe = GoodGroup();
  for (RankProbe& rank : probe.ranks) rank.host_name = "a";
  EXPECT_THAT(CodesOf(probe), ElementsAre("loopback_would_do"));
  EXPECT_EQ(Advise(probe)[0].severity, Severity::kNote);
  for (RankProbe& rank : probe.ranks) rank.is_loopback = true;
  EXPECT_THAT(CodesOf(probe), ElementsAre());
}

TEST(AdviceTest, ALoopbackAddressBetweenMachinesIsAnError) {
  GroupProbe probe = GoodGroup();
  probe.ranks[0].is_loopback = true;
  probe.ranks[0].address = "127.0.0.1";
  EXPECT_THAT(CodesOf(probe), ElementsAre("loopback_between_hosts"));
}

TEST(AdviceTest, AnAddressOfNoInterfaceIsNamed) {
  GroupProbe probe = GoodGroup();
  probe.ranks[0].interface = "";
  EXPECT_THAT(CodesOf(probe), ElementsAre("address_not_here"));
}

TEST(AdviceTest, ASlowLinkIsOneThatIsSlowerThanTheOthersOfItsKind) {
  GroupProbe probe = GoodGroup();
  for (LinkProbe& link : probe.links) {
    const bool within = (link.lower < 2) == (link.upper < 2);
    link.gigabytes_per_second = within ? 5 : 1.1;
    link.latency_us = within ? 20 : 90;
  }
  EXPECT_THAT(CodesOf(probe), ElementsAre()) << "a network is not as fast as a machine";
  probe.links[1].gigabytes_per_second = 0.12;
  EXPECT_THAT(CodesOf(probe), ElementsAre("slow_link"));
  EXPECT_THAT(Advise(probe)[0].found, HasSubstr("between ranks 0 and 2 0.12 GB/s"));
  probe.links[1].gigabytes_per_second = 1.1;
  probe.links[1].latency_us = 2000;
  EXPECT_THAT(CodesOf(probe), ElementsAre("slow_link"));
  for (LinkProbe& link : probe.links) link = {link.lower, link.upper, true, "", 90, 0.01};
  EXPECT_THAT(CodesOf(probe), ElementsAre("slow_network"));
}

TEST(AdviceTest, ThreadsAndMemoryAreTheMachines) {
  GroupProbe probe = GoodGroup();
  probe.ranks[0].threads = 16;
  EXPECT_THAT(CodesOf(probe), ElementsAre("threads_exceed_cores"));
  EXPECT_THAT(Advise(probe)[0].found,
              HasSubstr("2 ranks on a compute with 20 threads on 16 cores"));
  EXPECT_THAT(Advise(probe)[0].action, HasSubstr("--threads 8"));
  probe = GoodGroup();
  probe.ranks[2].memory_free = probe.ranks[3].memory_free = 500'000'000;
  EXPECT_THAT(CodesOf(probe), ElementsAre("memory_low"));
}

TEST(AdviceTest, TheWorstComesFirst) {
  GroupProbe probe = GoodGroup();
  probe.ranks[2].shm_bytes = 64'000'000;
  probe.ranks[3].nccl_version = "2.30.7";
  probe.links[0] = {0, 1, false, "rank 0 to 10.0.0.2:4000: no route to host", 0, 0};
  EXPECT_THAT(CodesOf(probe), ElementsAre("unreachable", "nccl_versions_differ", "shm_small"));
}

}  // namespace
}  // namespace emend::worker::collective::probe_test
