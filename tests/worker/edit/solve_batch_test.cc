#include "worker/edit/solve_batch.h"

#include <ATen/ATen.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "tests/storage/delta/ledger_columns.h"
#include "tests/support/status_matchers.h"
#include "tests/worker/edit/atlas.h"

namespace emend::worker::edit::solve_batch_test {
namespace {

using test::StatusIs;
using ::testing::HasSubstr;

// A covariance without a corpus: these tests are about the batch, not its quality.
std::shared_ptr<const Statistics> UnitStatistics(const std::vector<LayerIndex>& layers) {
  Statistics statistics{.covariance = {}, .tokens = 1};
  for (const LayerIndex layer : layers)
    statistics.covariance[layer] = at::eye(2048, at::kDouble) * 0.05;
  return std::make_shared<const Statistics>(statistics);
}

class SolveBatchTest : public ::testing::Test {
 protected:
  SolveBatchTest() { settings_.v_num_grad_steps = 4; }

  Result<BatchSolution> Solve() {
    const std::unique_ptr<Solver> solver = *NewSolver("memit", UnitStatistics(settings_.layers));
    QuantisingCommitter committer(atlas_.Tensors(settings_.layers));
    return SolveBatch({.model = *atlas_.model,
                       .tokenizer = *atlas_.tokenizer,
                       .facts = facts_,
                       .settings = settings_,
                       .solver = *solver,
                       .committer = committer,
                       .targets = targets_,
                       .progress = progress_});
  }

  const Atlas atlas_;
  protocol::SolveSettings settings_ = MemitGolden().Settings();
  std::vector<EditFact> facts_ = atlas_.Facts(0, 4);
  Targets targets_;
  ProgressFunction progress_;
};

TEST_F(SolveBatchTest, EveryFactComesBackAsAnEditOfEveryEditedTensor) {
  ASSERT_OK_AND_ASSIGN(const BatchSolution solution, Solve());
  ASSERT_EQ(solution.edits.size(), 4U);
  for (const EditSolution& edit : solution.edits) {
    ASSERT_EQ(edit.delta.tensors.size(), 3U);
    ASSERT_EQ(edit.keys.size(), 3U);
    for (std::size_t i = 0; i < 3; ++i) {
      const std::string name = "transformer.h." + std::to_string(i) + ".mlp.c_proj.weight";
      EXPECT_EQ(edit.delta.tensors[i].tensor, name);
      EXPECT_EQ(edit.delta.tensors[i].rows, 2048U);
      EXPECT_EQ(edit.delta.tensors[i].cols, 256U);
      EXPECT_FALSE(edit.delta.tensors[i].columns.empty());
      EXPECT_EQ(edit.keys[i].tensor, name);
      EXPECT_EQ(edit.keys[i].values.size(), 2048U);
    }
    EXPECT_EQ(edit.target.values.size(), 256U);
    EXPECT_EQ(edit.steps, 4);
  }
  ASSERT_EQ(solution.layers.size(), 3U);
  for (const LayerOutcome& outcome : solution.layers) EXPECT_GT(outcome.update_norm, 0);
}

TEST_F(SolveBatchTest, TheEditsRebuildToTheWeightThatTheBatchServed) {
  ASSERT_OK_AND_ASSIGN(const BatchSolution solution, Solve());
  for (const auto& [layer, tensors] : atlas_.Tensors(settings_.layers)) {
    const EditedTensor& tensor = tensors[0];
    storage::delta::Ledger ledger({0, tensor.rows, 0, tensor.cols});
    for (const EditSolution& edit : solution.edits) {
      for (const storage::delta::Column& column : edit.delta.tensors[layer.value()].columns)
        AddColumn(ledger, column);
    }
    std::vector<std::uint8_t> served(tensor.base.size());
    ASSERT_THAT(ServeWeights(ledger, tensor.dtype, tensor.base, served), test::IsOk());
    ASSERT_OK_AND_ASSIGN(const at::Tensor weight, WidenWeight(tensor, served));
    const double norm = (weight - atlas_.model->DownWeight(layer)).norm().item<double>();
    EXPECT_DOUBLE_EQ(norm, solution.layers[layer.value()].update_norm);
  }
}

TEST_F(SolveBatchTest, TheSameBatchGivesTheSameEditsBitForBit) {
  ASSERT_OK_AND_ASSIGN(const BatchSolution first, Solve());
  ASSERT_OK_AND_ASSIGN(const BatchSolution second, Solve());
  for (std::size_t i = 0; i < first.edits.size(); ++i) {
    EXPECT_EQ(first.edits[i].delta, second.edits[i].delta);
    EXPECT_EQ(first.edits[i].keys, second.edits[i].keys);
  }
}

TEST_F(SolveBatchTest, GivenTargetsAreUsedAsTheyAre) {
  ASSERT_OK_AND_ASSIGN(const BatchSolution found, Solve());
  targets_.values = at::empty({4, 256});
  for (std::int64_t fact = 0; fact < 4; ++fact)
    targets_.values[fact].copy_(at::tensor(found.edits[fact].target.values));
  ASSERT_OK_AND_ASSIGN(const BatchSolution again, Solve());
  for (std::size_t i = 0; i < 4; ++i) EXPECT_EQ(again.edits[i].delta, found.edits[i].delta);
  EXPECT_EQ(again.edits[0].steps, 0);
  targets_.steps = {5, 6, 7, 8};
  targets_.losses = {0.5, 0.25, 0.125, 1};
  ASSERT_OK_AND_ASSIGN(const BatchSolution told, Solve());
  EXPECT_EQ(told.edits[0].delta, found.edits[0].delta);
  for (std::size_t i = 0; i < 4; ++i) EXPECT_EQ(told.edits[i].steps, targets_.steps[i]);
  for (std::size_t i = 0; i < 4; ++i) EXPECT_EQ(told.edits[i].loss, targets_.losses[i]);
}

TEST_F(SolveBatchTest, GivenTargetsThatDoNotFitTheFactsAreRefused) {
  targets_.values = at::zeros({3, 256});
  EXPECT_THAT(Solve(), StatusIs(StatusCode::kInvalidArgument));
  targets_ = {.values = at::zeros({4, 256}), .steps = {1, 2}, .losses = {0.5, 0.5}};
  EXPECT_THAT(Solve(), StatusIs(StatusCode::kInvalidArgument));
}

TEST_F(SolveBatchTest, ATargetThatIsNotFiniteIsRefusedByItsFact) {
  targets_.values = at::zeros({4, 256});
  targets_.values[2][7] = std::nan("");
  const Result<BatchSolution> solution = Solve();
  ASSERT_THAT(solution, StatusIs(StatusCode::kFailedPrecondition, "non_finite"));
  EXPECT_THAT(solution.status().message(), HasSubstr("fact 2"));
}

TEST_F(SolveBatchTest, ABadFactIsRefusedByItsIndex) {
  facts_[3].prompt = "no place for a subject";
  const Result<BatchSolution> solution = Solve();
  ASSERT_THAT(solution, StatusIs(StatusCode::kInvalidArgument, "bad_fact"));
  EXPECT_THAT(solution.status().message(), HasSubstr("fact 3"));
}

TEST_F(SolveBatchTest, AnEmptyBatchAndSettingsOutsideTheModelAreRefused) {
  settings_.layers = {LayerIndex(6)};
  Statistics none{.covariance = {}, .tokens = 0};
  const std::unique_ptr<Solver> solver =
      *NewSolver("memit", std::make_shared<const Statistics>(none));
  QuantisingCommitter committer({});
  const auto solve = [&] {
    return SolveBatch({.model = *atlas_.model,
                       .tokenizer = *atlas_.tokenizer,
                       .facts = facts_,
                       .settings = settings_,
                       .solver = *solver,
                       .committer = committer});
  };
  EXPECT_THAT(solve(), StatusIs(StatusCode::kInvalidArgument, "bad_setting"));
  settings_.layers = {LayerIndex(2)};
  settings_.v_num_grad_steps = 1;
  EXPECT_THAT(solve(), StatusIs(StatusCode::kFailedPrecondition, "no_statistics"));
  facts_.clear();
  EXPECT_THAT(solve(), StatusIs(StatusCode::kInvalidArgument));
}

TEST_F(SolveBatchTest, ProgressNamesItsPhasesAndCanCancel) {
  std::vector<std::string> phases;
  progress_ = [&](const ProgressReport& report) {
    if (phases.empty() || phases.back() != report.phase) phases.emplace_back(report.phase);
    EXPECT_LE(report.done, report.total);
    return report.phase == "solve" && report.done == 1 ? Status(StatusCode::kCancelled, "enough")
                                                       : OkStatus();
  };
  EXPECT_THAT(Solve(), StatusIs(StatusCode::kCancelled));
  EXPECT_THAT(phases, ::testing::ElementsAre("targets", "solve"));
}

}  // namespace
}  // namespace emend::worker::edit::solve_batch_test
