// A whole batch on a device that is not the CPU and does not mix with it: statistics, targets,
// keys, solve, quantised weights come to what they are on the CPU.
#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <gtest/gtest.h>

#include "tests/support/status_matchers.h"
#include "tests/worker/edit/atlas.h"
#include "tests/worker/model/second_device.h"

namespace emend::worker::edit::second_device_test {
namespace {

struct Outcome {
  Statistics statistics;
  BatchSolution solution;
};

class SecondDeviceTest : public ::testing::Test {
 protected:
  SecondDeviceTest() {
    settings_.v_num_grad_steps = 4;
    settings_.layers = {LayerIndex(2), LayerIndex(3)};
  }

  Outcome Solve(const model::Transformer& model) {
    std::vector<std::string> lines =
        SelectCorpusLines(ReadText("docs/examples/atlas/corpus.txt"), 40);
    Outcome outcome{.statistics = ValueOf(ComputeStatistics(
                        model, *atlas_.tokenizer, lines,
                        {.layers = settings_.layers, .tokens_max = 0, .progress = {}})),
                    .solution = {}};
    const std::unique_ptr<Solver> solver =
        *NewSolver("memit", std::make_shared<const Statistics>(outcome.statistics));
    QuantisingCommitter committer(atlas_.Tensors(settings_.layers));
    const std::vector<EditFact> facts = atlas_.Facts(0, 3);
    outcome.solution = ValueOf(SolveBatch({.model = model,
                                           .tokenizer = *atlas_.tokenizer,
                                           .facts = facts,
                                           .settings = settings_,
                                           .solver = *solver,
                                           .committer = committer}));
    return outcome;
  }

  Atlas atlas_;
  protocol::SolveSettings settings_ =
      *protocol::DefaultSettings("memit", atlas_.model->config().layers);
};

TEST_F(SecondDeviceTest, ABatchThereIsTheBatchOfTheCpu) {
  at::set_num_threads(1);  // the same sums in the same order
  settings_.v_bf16 = 0;
  const auto there = ValueOf(
      model::Transformer::Load(*atlas_.checkpoint, *atlas_.communicator, test::SecondDevice()));
  const Outcome expected = Solve(*atlas_.model), found = Solve(*there);
  for (const auto& [layer, covariance] : expected.statistics.covariance) {
    EXPECT_TRUE(found.statistics.covariance.at(layer).is_cpu());
    EXPECT_TRUE(at::allclose(found.statistics.covariance.at(layer), covariance, 1e-4, 1e-6))
        << layer.value();
  }
  ASSERT_EQ(found.solution.edits.size(), expected.solution.edits.size());
  for (std::size_t i = 0; i < expected.solution.edits.size(); ++i) {
    const EditSolution& one = expected.solution.edits[i];
    const EditSolution& other = found.solution.edits[i];
    EXPECT_EQ(other.steps, one.steps);
    EXPECT_NEAR(other.loss, one.loss, 1e-3);
    ASSERT_EQ(other.target.values.size(), one.target.values.size());
    for (std::size_t j = 0; j < one.target.values.size(); ++j)
      EXPECT_NEAR(other.target.values[j], one.target.values[j], 1e-2);
    ASSERT_EQ(other.delta.tensors.size(), settings_.layers.size());
  }
  ASSERT_EQ(found.solution.layers.size(), expected.solution.layers.size());
  for (std::size_t i = 0; i < expected.solution.layers.size(); ++i) {
    EXPECT_NEAR(found.solution.layers[i].update_norm / expected.solution.layers[i].update_norm, 1,
                1e-2);
    EXPECT_GT(found.solution.layers[i].update_norm, 0);
  }
}

}  // namespace
}  // namespace emend::worker::edit::second_device_test
