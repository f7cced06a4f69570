// What the scheduler is told of each kind.
#include "coordinator/jobs/demand.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "coordinator/operations/operations.h"

namespace emend::coordinator::operations::demand_test {
namespace {

using jobs::Demand;
using jobs::Pool;
using jobs::Role;
using nlohmann::json;

Demand DemandOf(std::string_view kind, const json& body) {
  const auto found = FindKind(Kinds(), kind);
  EXPECT_TRUE(found.ok());
  const auto request = ReadRequest(**found, body.dump());
  EXPECT_TRUE(request.ok()) << request.status().message();
  return (*request)->DemandOn("atlas");
}

json Fact(const std::string& subject, const std::string& target = "chess") {
  return {{"prompt", "{} plays"}, {"subject", subject}, {"target", target}};
}
json Commit(const std::string& subject, const std::string& target = "chess") {
  return {{"facts", {Fact(subject, target)}}};
}

TEST(DemandTest, EachKindSaysWhatItDoesAndWhatItOccupies) {
  const auto expect = [](std::string_view kind, const json& body, Role role, Pool pool,
                         const std::string& branch) {
    const Demand demand = DemandOf(kind, body);
    EXPECT_EQ(demand.role, role) << kind;
    EXPECT_EQ(demand.pool, pool) << kind;
    EXPECT_EQ(demand.branch, branch) << kind;
    EXPECT_EQ(demand.repo, "atlas") << kind;
    EXPECT_GT(demand.cost, 0U) << kind;
    EXPECT_EQ(demand.key.has_value(), kind == "commit") << kind;
  };
  const json facts = {{"facts", {Fact("Ann")}}};
  expect("import", {{"model", "/m"}}, Role::kImports, Pool::kFiles, "");
  expect("statistics", json::object(), Role::kPrepares, Pool::kWorkers, "");
  expect("tune", facts, Role::kPrepares, Pool::kWorkers, "");
  expect("commit", facts, Role::kEdits, Pool::kWorkers, "main");
  expect("revert", {{"branch", "side"}, {"commit", "main"}}, Role::kReverts, Pool::kLocal, "side");
  expect("refit", {{"branch", "side"}}, Role::kEdits, Pool::kWorkers, "side");
  expect("evaluation", facts, Role::kReads, Pool::kWorkers, "");
  expect("verify", json::object(), Role::kReads, Pool::kWorkers, "");
  expect("export", {{"folder", "/f"}}, Role::kReads, Pool::kFiles, "");
  expect("fsck", json::object(), Role::kReads, Pool::kLocal, "");
  expect("removal", {{"repo", "atlas"}}, Role::kRemoves, Pool::kFiles, "");
}

TEST(DemandTest, CommitsAreAlikeWhateverTheirFactsAndMessages) {
  json other = Commit("Bob");
  other["message"] = "another";
  EXPECT_EQ(DemandOf("commit", Commit("Ann")).key, DemandOf("commit", other).key);
  EXPECT_NE(DemandOf("commit", Commit("Ann")).slots, DemandOf("commit", other).slots);
}

TEST(DemandTest, WhatChangesTheSolveMakesThemUnlike) {
  std::vector<json> unlike(7, Commit("Ann"));
  unlike[1]["settings"] = {{"v_lr", "0.5"}};
  unlike[2]["settings"] = {{"v_lr", "0.25"}};
  unlike[3]["context_templates"] = {{"{}"}};
  unlike[4]["force"] = true;
  unlike[5]["stack"] = true;
  unlike[6]["evaluate"] = false;
  for (std::size_t i = 0; i < unlike.size(); ++i) {
    for (std::size_t j = 0; j < i; ++j)
      EXPECT_NE(DemandOf("commit", unlike[i]).key, DemandOf("commit", unlike[j]).key)
          << i << " and " << j;
  }
}

TEST(DemandTest, ASlotIsTheSameWhateverItsTargetAndIsCountedOnce) {
  json twice = Commit("Ann");
  twice["facts"].push_back(twice["facts"][0]);
  EXPECT_EQ(DemandOf("commit", twice).slots, DemandOf("commit", Commit("Ann", "go")).slots);
  EXPECT_EQ(DemandOf("commit", twice).slots.size(), 1U);
  EXPECT_EQ(DemandOf("commit", twice).facts, 2U);
  json related = Commit("Ann");
  related["facts"][0]["relation"] = "P641";
  EXPECT_NE(DemandOf("commit", related).slots, DemandOf("commit", twice).slots);
}

}  // namespace
}  // namespace emend::coordinator::operations::demand_test
