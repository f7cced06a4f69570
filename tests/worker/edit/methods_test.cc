// Every method against its paper's equation, computed plainly, and through one batch.
#include <ATen/ATen.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/support/status_matchers.h"
#include "tests/worker/edit/atlas.h"
#include "tests/worker/edit/recording_committer.h"
#include "worker/edit/solve_batch.h"

namespace emend::worker::edit::methods_test {
namespace {

using test::IsOk;
using test::StatusIs;
using ::testing::HasSubstr;

const LayerIndex kLayer(1);

at::Tensor Normal(std::int64_t rows, std::int64_t cols, std::uint64_t seed) {
  at::manual_seed(seed);
  return at::randn({rows, cols}, at::kDouble);
}

// Keys with a quarter of the directions that ordinary text hardly uses.
at::Tensor CovarianceOf(std::int64_t size) {
  at::Tensor scale = at::ones({size, 1}, at::kDouble);
  scale.narrow(0, 0, size / 4).fill_(1e-3);
  const auto [turn, rest] = at::linalg_qr(Normal(size, size, 1));
  const at::Tensor keys = turn.matmul(scale * Normal(size, 5 * size, 2));
  return keys.matmul(keys.t()) / static_cast<double>(5 * size);
}

// The same of one that needs no product of matrices.
at::Tensor PlainCovariance(std::int64_t size) {
  at::Tensor values = at::full({size}, 0.05, at::kDouble);
  values.narrow(0, 0, size / 4).fill_(5e-8);
  return at::diag(values);
}

std::shared_ptr<const Statistics> StatisticsOf(const at::Tensor& covariance) {
  Statistics statistics{.covariance = {}, .tokens = 1};
  for (int layer = 0; layer < 3; ++layer) statistics.covariance[LayerIndex(layer)] = covariance;
  return std::make_shared<const Statistics>(statistics);
}

// The covariance with the ridge that the settings ask for.
at::Tensor Ridged(const at::Tensor& covariance, const protocol::SolveSettings& settings) {
  const std::int64_t size = covariance.size(0);
  return covariance + settings.ridge * covariance.trace() / size * at::eye(size, at::kDouble);
}

class ClosedFormTest : public ::testing::Test {
 protected:
  static constexpr std::int64_t kSize = 96;

  Result<LayerSolution> Solve(const std::string& method, const at::Tensor& keys) {
    settings_ = *protocol::DefaultSettings(method, 6);
    return (*NewSolver(method, StatisticsOf(covariance_)))
        ->Solve({.layer = kLayer, .settings = settings_, .keys = keys});
  }

  const at::Tensor covariance_ = CovarianceOf(kSize);
  const at::Tensor keys_ = Normal(kSize, 7, 3);
  protocol::SolveSettings settings_;
};

TEST_F(ClosedFormTest, EmmetIsItsPapersForm) {
  ASSERT_OK_AND_ASSIGN(const LayerSolution solution, Solve("emmet", keys_));
  const at::Tensor half = at::linalg_solve(Ridged(covariance_, settings_), keys_);
  const at::Tensor small = keys_.t().matmul(half) + 0.1 * at::eye(7, at::kDouble);
  EXPECT_LT(RelativeError(solution.adjusted_keys, half.matmul(at::linalg_inv(small))), 1e-10);
}

TEST_F(ClosedFormTest, RomeOfOneFactIsItsPapersForm) {
  const at::Tensor key = keys_.narrow(1, 0, 1);
  ASSERT_OK_AND_ASSIGN(const LayerSolution solution, Solve("rome", key));
  const at::Tensor half = at::linalg_solve(Ridged(covariance_, settings_), key);
  EXPECT_LT(RelativeError(solution.adjusted_keys, half / key.t().matmul(half)), 1e-6);
}

TEST_F(ClosedFormTest, RomeOfABatchGivesEveryFactAllOfItsResidual) {
  ASSERT_OK_AND_ASSIGN(const LayerSolution solution, Solve("rome", keys_));
  const at::Tensor given = keys_.t().matmul(solution.adjusted_keys);
  EXPECT_LT((given - at::eye(7, at::kDouble)).abs().max().item<double>(), 1e-6);
}

TEST(MethodsTest, EveryMethodThatMayBeAskedForIsKnownToTheWorker) {
  std::vector<std::string_view> asked, known;
  for (const protocol::SolveMethod& method : protocol::SolveMethods()) asked.push_back(method.name);
  const auto statistics = StatisticsOf(CovarianceOf(64));
  for (const Method& method : Methods()) {
    known.push_back(method.name);
    EXPECT_THAT(NewSolver(method.name, statistics), IsOk()) << method.name;
  }
  EXPECT_EQ(asked, known);
}

TEST(MethodsTest, AnUnknownOneIsRefusedWithAllNames) {
  const auto solver = NewSolver("rome2", StatisticsOf(CovarianceOf(64)));
  ASSERT_THAT(solver, StatusIs(StatusCode::kUnsupported, "unknown_method"));
  for (const Method& method : Methods())
    EXPECT_THAT(solver.status().message(), HasSubstr(method.name));
}

class MethodBatchTest : public ::testing::TestWithParam<std::string_view> {};

// What the last layer's served update makes of the keys, beside the residuals that it was asked
// for.
TEST_P(MethodBatchTest, ABatchGetsNearlyAllThatItsLastLayerWasAskedFor) {
  const Atlas atlas;
  protocol::SolveSettings settings = *protocol::DefaultSettings(GetParam(), 6);
  settings.v_num_grad_steps = 6;
  const std::vector<EditFact> facts = atlas.Facts(0, 4);
  const std::unique_ptr<Solver> solver =
      *NewSolver(GetParam(), StatisticsOf(PlainCovariance(2048)));
  RecordingCommitter committer(atlas.Tensors(settings.layers));
  ASSERT_OK_AND_ASSIGN(const BatchSolution solution, SolveBatch({.model = *atlas.model,
                                                                 .tokenizer = *atlas.tokenizer,
                                                                 .facts = facts,
                                                                 .settings = settings,
                                                                 .solver = *solver,
                                                                 .committer = committer}));
  ASSERT_EQ(solution.layers.size(), settings.layers.size());
  const LayerOutcome& last = solution.layers.back();
  const at::Tensor update = committer.weights[last.layer] - atlas.model->DownWeight(last.layer);
  EXPECT_LT(RelativeError(last.keys.t().matmul(update.to(at::kDouble)), last.residuals.t()), 0.2);
  for (const EditSolution& edit : solution.edits) {
    EXPECT_EQ(edit.delta.tensors.size(), settings.layers.size());
    EXPECT_EQ(edit.target.layer, settings.layers.back());
  }
}

std::vector<std::string_view> MethodNames() {
  std::vector<std::string_view> names;
  for (const Method& method : Methods()) names.push_back(method.name);
  return names;
}

INSTANTIATE_TEST_SUITE_P(Methods, MethodBatchTest, ::testing::ValuesIn(MethodNames()));

}  // namespace
}  // namespace emend::worker::edit::methods_test
