#include "coordinator/jobs/demand.h"

#include <gtest/gtest.h>

namespace emend::coordinator::jobs {
namespace {

core::CommitRequest Commit(const std::string& subject, const std::string& target = "chess") {
  storage::objects::Fact fact;
  fact.prompt = "{} plays";
  fact.subject = subject;
  fact.target = target;
  core::CommitRequest request;
  request.facts = {fact};
  return request;
}

TEST(DemandTest, EachKindSaysWhatItDoesAndWhatItOccupies) {
  const auto expect = [](const core::OperationRequest& request, Role role, Pool pool,
                         const std::string& branch) {
    const Demand demand = DemandOf("atlas", request);
    EXPECT_EQ(demand.role, role);
    EXPECT_EQ(demand.pool, pool);
    EXPECT_EQ(demand.branch, branch);
    EXPECT_EQ(demand.repo, "atlas");
    EXPECT_GT(demand.cost, 0U);
    EXPECT_EQ(demand.key.has_value(), role == Role::kEdits);
  };
  expect(core::ImportRequest{}, Role::kImports, Pool::kFiles, "");
  expect(core::StatisticsRequest{}, Role::kCounts, Pool::kWorkers, "");
  expect(Commit("Ann"), Role::kEdits, Pool::kWorkers, "main");
  expect(core::RevertRequest{"side", "main", ""}, Role::kReverts, Pool::kLocal, "side");
  expect(core::EvaluationRequest{}, Role::kReads, Pool::kWorkers, "");
  expect(core::VerifyRequest{}, Role::kReads, Pool::kWorkers, "");
  expect(core::ExportRequest{}, Role::kReads, Pool::kFiles, "");
  expect(core::FsckRequest{}, Role::kReads, Pool::kLocal, "");
}

TEST(DemandTest, CommitsAreAlikeWhateverTheirFactsAndMessages) {
  core::CommitRequest other = Commit("Bob");
  other.message = "another";
  EXPECT_EQ(DemandOf("a", Commit("Ann")).key, DemandOf("a", other).key);
  EXPECT_NE(DemandOf("a", Commit("Ann")).slots, DemandOf("a", other).slots);
}

TEST(DemandTest, WhatChangesTheSolveMakesThemUnlike) {
  std::vector<core::CommitRequest> unlike(7, Commit("Ann"));
  unlike[1].settings = {{"v_lr", "0.5"}};
  unlike[2].settings = {{"v_lr", "0.25"}};
  unlike[3].context_templates = {{"{}"}};
  unlike[4].force = true;
  unlike[5].stack = true;
  unlike[6].evaluate = false;
  for (std::size_t i = 0; i < unlike.size(); ++i) {
    for (std::size_t j = 0; j < i; ++j)
      EXPECT_NE(DemandOf("a", unlike[i]).key, DemandOf("a", unlike[j]).key) << i << " and " << j;
  }
}

TEST(DemandTest, ASlotIsTheSameWhateverItsTargetAndIsCountedOnce) {
  core::CommitRequest twice = Commit("Ann");
  twice.facts.push_back(twice.facts[0]);
  EXPECT_EQ(DemandOf("a", twice).slots, DemandOf("a", Commit("Ann", "go")).slots);
  EXPECT_EQ(DemandOf("a", twice).slots.size(), 1U);
  EXPECT_EQ(DemandOf("a", twice).facts, 2U);
  core::CommitRequest related = Commit("Ann");
  related.facts[0].relation = "P641";
  EXPECT_NE(DemandOf("a", related).slots, DemandOf("a", twice).slots);
}

}  // namespace
}  // namespace emend::coordinator::jobs
