#include "coordinator/server/diagnosis.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "tests/support/sim_cluster.h"
#include "tests/support/status_matchers.h"

namespace emend::coordinator::server::diagnosis_test {
namespace {

using membership::WorkerInfo;
using membership::WorkerState;
using test::SimCluster;
using test::StatusIs;
using worker::protocol::ProbeAdvice;
using worker::protocol::ProbeRanks;
using worker::protocol::ProbeRanksReply;
using worker::protocol::ReplyBody;
using worker::protocol::RequestBody;

constexpr std::uint64_t kPlenty = std::uint64_t{100} << 30;

WorkerInfo Rank(const std::string& group, std::int32_t rank, std::int32_t world_size) {
  WorkerInfo worker;
  worker.worker = WorkerId(group + "." + std::to_string(rank));
  worker.group = group;
  worker.rank = rank;
  worker.world_size = world_size;
  worker.serves = rank == 0;
  return worker;
}

std::vector<std::string> CodesOf(const std::vector<ProbeAdvice>& advice) {
  std::vector<std::string> codes;
  for (const ProbeAdvice& each : advice) codes.push_back(each.code);
  return codes;
}

TEST(AdviceOnWorkers, WhatServesIsFine) {
  EXPECT_TRUE(
      AdviseOnWorkers({Rank("g0", 0, 2), Rank("g0", 1, 2), Rank("g1", 0, 1)}, kPlenty).empty());
}

TEST(AdviceOnWorkers, AGroupWithoutARankServesNobody) {
  WorkerInfo alone = Rank("g0", 0, 2);
  alone.serves = false;
  const auto advice = AdviseOnWorkers({alone}, kPlenty);
  EXPECT_EQ(CodesOf(advice), (std::vector<std::string>{"no_worker", "group_incomplete"}));
  EXPECT_NE(advice[1].found.find("g0 has 1 of 2 ranks"), std::string::npos);
}

TEST(AdviceOnWorkers, AGroupThatCannotBeFormedIsSaid) {
  WorkerInfo unformed = Rank("g0", 0, 2);
  unformed.serves = false;
  const auto advice = AdviseOnWorkers({unformed, Rank("g0", 1, 2), Rank("g1", 0, 1)}, kPlenty);
  EXPECT_EQ(CodesOf(advice), std::vector<std::string>{"group_not_formed"});
  EXPECT_NE(advice[0].found.find("g0 has all of its 2 ranks, and does not serve"),
            std::string::npos);
}

TEST(AdviceOnWorkers, ALostRankIsNotThere) {
  WorkerInfo lost = Rank("g0", 1, 2);
  lost.state = WorkerState::kLost;
  WorkerInfo left = Rank("g0", 0, 2);
  left.serves = false;
  EXPECT_EQ(CodesOf(AdviseOnWorkers({left, lost, Rank("g1", 0, 1)}, kPlenty)),
            std::vector<std::string>{"group_incomplete"});
}

TEST(AdviceOnWorkers, AFullDiskIsSaid) {
  EXPECT_EQ(CodesOf(AdviseOnWorkers({Rank("g0", 0, 1)}, std::uint64_t{5} << 20)),
            std::vector<std::string>{"disk_full"});
}

TEST(Diagnose, EveryGroupIsAskedAndOneThatCannotAnswerIsALine) {
  SimCluster cluster(3, 2);
  cluster.Run("import", cluster.ImportBody());
  cluster.worker(1).worker->OnRequest([&](const RequestBody& request) -> Result<ReplyBody> {
    if (!std::holds_alternative<ProbeRanks>(request))
      return cluster.worker(1).model.Answer(request);
    return ReplyBody(
        ProbeRanksReply{{{}}, {}, {{"warning", "shm_small", "64 MB", "1 GB", "more of it"}}});
  });
  const auto diagnosis = *cluster.sim().Await(cluster.service().Diagnose(cluster.admin()));
  ASSERT_THAT(diagnosis, test::IsOk());
  ASSERT_EQ(diagnosis->groups.size(), 2U);
  std::vector<std::string> codes;
  for (const GroupDiagnosis& group : diagnosis->groups)
    codes.push_back(CodesOf(group.probe.advice).at(0));
  std::ranges::sort(codes);
  EXPECT_EQ(codes, (std::vector<std::string>{"no_answer", "shm_small"}))
      << "the other fake worker knows no probe";
  Caller reader = cluster.admin();
  reader.scopes = {"read"};
  EXPECT_THAT(*cluster.sim().Await(cluster.service().Diagnose(reader)),
              StatusIs(StatusCode::kPermissionDenied));
}

}  // namespace
}  // namespace emend::coordinator::server::diagnosis_test
