// The targets of a batch over several workers, in virtual time.
#include "coordinator/operations/target_share.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "tests/support/sim_cluster.h"

namespace emend::coordinator::operations::target_share_test {
namespace {

using namespace std::chrono_literals;
using nlohmann::json;
using storage::records::Operation;
using storage::records::OperationState;
using test::SimCluster;
using worker::protocol::EnsureState;
using worker::protocol::OptimiseTargets;
using worker::protocol::ReplyBody;
using worker::protocol::RequestBody;
using worker::protocol::Solve;

class TargetShareTest : public testing::Test {
 protected:
  void SetUp() override {
    ASSERT_TRUE(cluster_.Prepare([this](std::size_t worker, const RequestBody& request) {
      return Answer(worker, request);
    }));
  }

  // The model's answer, with what was asked for noted.
  Result<ReplyBody> Answer(std::size_t worker, const RequestBody& request) {
    if (const auto* optimise = std::get_if<OptimiseTargets>(&request)) {
      facts_of_[worker] += optimise->facts.size();
      largest_piece_ = std::max(largest_piece_, optimise->facts.size());
      if (refuse_) return Status(StatusCode::kInvalidArgument, "bad_fact", "fact 3: it is bad");
      if (dies_ == worker) cluster_.worker(worker).worker->Die();
    }
    // The request behind this one is a piece.
    if (others_are_slow_ && worker > 0 && std::holds_alternative<EnsureState>(request))
      cluster_.worker(worker).worker->SetWork(20min);
    if (const auto* solve = std::get_if<Solve>(&request)) solved_with_ = solve->targets.size();
    return cluster_.worker(worker).model.Answer(request);
  }

  static json Body(std::size_t facts, const std::string& who) {
    json list = json::array();
    for (std::size_t i = 0; i < facts; ++i)
      list.push_back({{"prompt", "{} is"},
                      {"subject", who + std::to_string(i)},
                      {"target", "t" + std::to_string(i)}});
    return {{"facts", list}, {"settings", {{"layers", "0,1"}}}};
  }
  Operation Commit(std::size_t facts, const std::string& who = "s") {
    return cluster_.Run("commit", Body(facts, who));
  }

  std::map<std::size_t, std::size_t> facts_of_;  // asked of each worker
  std::size_t largest_piece_ = 0;
  std::size_t solved_with_ = 0;  // targets of the last solve
  bool refuse_ = false;
  bool others_are_slow_ = false;
  std::optional<std::size_t> dies_;
  SimCluster cluster_{5, 3};  // last: while it stops, it still answers
};

TEST_F(TargetShareTest, ALargeBatchIsSharedByAllThatHaveNothingToDo) {
  EXPECT_EQ(Commit(200).state, OperationState::kSucceeded);
  EXPECT_EQ(facts_of_.size(), 3U);
  for (const auto& [worker, facts] : facts_of_)
    EXPECT_GE(facts, 40U) << "worker " << worker << " hardly took part";
  EXPECT_EQ(facts_of_[0] + facts_of_[1] + facts_of_[2], 200U);
  EXPECT_LE(largest_piece_, 200U / (3 * 4));
  EXPECT_EQ(solved_with_, 200U);
}

TEST_F(TargetShareTest, AFewFactsAreNotWorthSharing) {
  EXPECT_EQ(Commit(kPieceFactsMin).state, OperationState::kSucceeded);
  EXPECT_TRUE(facts_of_.empty());
  EXPECT_EQ(solved_with_, 0U);
}

TEST_F(TargetShareTest, TargetsOfEachLayerAreLeftToTheSolve) {
  json body = Body(200, "s");
  body["settings"]["own_targets"] = 1;
  EXPECT_EQ(cluster_.Run("commit", body).state, OperationState::kSucceeded);
  EXPECT_TRUE(facts_of_.empty());
  EXPECT_EQ(solved_with_, 0U);
}

TEST_F(TargetShareTest, ALostWorkersPieceIsTakenByAnother) {
  for (std::size_t worker = 0; worker < 3; ++worker) {
    facts_of_.clear();
    dies_ = worker;
    EXPECT_EQ(Commit(40 + worker, "round " + std::to_string(worker) + " ").state,
              OperationState::kSucceeded);
    EXPECT_EQ(solved_with_, 40 + worker);
    dies_.reset();
    cluster_.sim().RunFor(10s);
  }
}

TEST_F(TargetShareTest, WhoseTimeIsUpDoesNotWaitForPiecesOfOthers) {
  others_are_slow_ = true;
  SimCluster::Terms terms;
  terms.timeout = 30s;
  const auto begin = cluster_.sim().elapsed();
  const auto ended = cluster_.sim().Await(cluster_.Complete("commit", Body(100, "s"), "", terms));
  ASSERT_TRUE(ended.has_value());
  EXPECT_EQ(ended->error_slug, "deadline_passed");
  EXPECT_EQ(solved_with_, 0U);
  EXPECT_LT(cluster_.sim().elapsed() - begin, 35s);
}

TEST_F(TargetShareTest, ARefusedPieceLeavesTheBatchToOneWorkerWhichSaysWhy) {
  refuse_ = true;
  EXPECT_EQ(Commit(100).state, OperationState::kSucceeded);
  EXPECT_EQ(solved_with_, 0U);
}

}  // namespace
}  // namespace emend::coordinator::operations::target_share_test
