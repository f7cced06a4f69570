// Every method against its paper's equation, computed plainly, and through one batch.
#include <ATen/ATen.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <optional>

#include "tests/support/status_matchers.h"
#include "tests/worker/edit/atlas.h"
#include "tests/worker/edit/recording_committer.h"
#include "worker/edit/solve_batch.h"

namespace emend::worker::edit::methods_test {
namespace {

using test::IsOk;
using test::StatusIs;
using ::testing::HasSubstr;

const LayerIndex kFirst(0), kLayer(1), kLast(2);

at::Tensor Normal(std::int64_t rows, std::int64_t cols, std::uint64_t seed) {
  at::manual_seed(seed);
  return at::randn({rows, cols}, at::kDouble);
}

// Of keys with a quarter of the directions that ordinary text hardly uses.
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

  // By the method's defaults, but for what a test sets.
  Result<LayerSolution> Solve(const std::string& method, const at::Tensor& keys,
                              const at::Tensor& past_keys = {}) {
    settings_ = *protocol::DefaultSettings(method, 6);
    if (weight_) settings_.mom2_update_weight = *weight_;
    if (threshold_) settings_.nullspace_threshold = *threshold_;
    return (*NewSolver(method, StatisticsOf(covariance_)))
        ->Solve({.layer = kLayer, .settings = settings_, .keys = keys, .past_keys = past_keys});
  }

  const at::Tensor covariance_ = CovarianceOf(kSize);
  const at::Tensor keys_ = Normal(kSize, 7, 3);
  protocol::SolveSettings settings_;
  std::optional<double> weight_, threshold_ = 1e-2;
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

TEST_F(ClosedFormTest, AlphaEditIsItsPapersForm) {
  const auto [values, vectors] = at::linalg_eigh(covariance_);
  for (const double weight : {0.0, 10.0}) {
    for (const std::int64_t past : {std::int64_t{0}, std::int64_t{11}, 3 * kSize}) {
      weight_ = weight;
      const at::Tensor past_keys = Normal(kSize, past, 4);
      ASSERT_OK_AND_ASSIGN(const LayerSolution solution, Solve("alphaedit", keys_, past_keys));
      const at::Tensor free = vectors.narrow(1, 0, kSize / 4);
      const at::Tensor projection = free.matmul(free.t());
      const at::Tensor system =
          projection.matmul(keys_.matmul(keys_.t()) + past_keys.matmul(past_keys.t())) +
          solution.weight * at::eye(kSize, at::kDouble);
      EXPECT_LT(
          RelativeError(solution.adjusted_keys, at::linalg_solve(system, projection.matmul(keys_))),
          1e-10)
          << weight << " " << past;
      const at::Tensor reached = (projection.matmul(keys_) * keys_).sum(0).median();
      EXPECT_DOUBLE_EQ(solution.weight, weight > 0 ? weight : solution.leverage / 8);
      EXPECT_NEAR(solution.leverage, reached.item<double>(), 1e-9 * solution.leverage);
    }
  }
}

TEST_F(ClosedFormTest, UltraEditIsItsPapersForm) {
  for (const double weight : {0.0, 1.0}) {
    for (const std::int64_t past : {std::int64_t{0}, std::int64_t{11}, 3 * kSize}) {
      weight_ = weight;
      const at::Tensor past_keys = Normal(kSize, past, 4);
      ASSERT_OK_AND_ASSIGN(const LayerSolution solution, Solve("ultraedit", keys_, past_keys));
      const at::Tensor system = keys_.matmul(keys_.t()) + past_keys.matmul(past_keys.t()) +
                                solution.weight * at::eye(kSize, at::kDouble);
      EXPECT_LT(RelativeError(solution.adjusted_keys, at::linalg_solve(system, keys_)), 1e-10)
          << weight << " " << past;
      EXPECT_DOUBLE_EQ(solution.weight, weight > 0 ? weight : solution.leverage / 8);
      const at::Tensor vectors = Normal(kSize, 5, 6);
      EXPECT_LT(RelativeError(solution.metric.SquaredNorms(vectors),
                              (vectors * system.matmul(vectors)).sum(0)),
                1e-10);
    }
  }
}

TEST_F(ClosedFormTest, AlphaEditMeasuresWithMemitsNorm) {
  ASSERT_OK_AND_ASSIGN(const LayerSolution solution, Solve("alphaedit", keys_));
  ASSERT_OK_AND_ASSIGN(const LayerSolution memit, Solve("memit", keys_));
  const at::Tensor vectors = Normal(kSize, 5, 6);
  EXPECT_LT(
      RelativeError(solution.metric.SquaredNorms(vectors), memit.metric.SquaredNorms(vectors)),
      1e-9);
}

TEST_F(ClosedFormTest, AlphaEditChangesNothingOutsideOfTheNullSpace) {
  ASSERT_OK_AND_ASSIGN(const LayerSolution solution, Solve("alphaedit", keys_));
  const at::Tensor taken =
      std::get<1>(at::linalg_eigh(covariance_)).narrow(1, kSize / 4, 3 * kSize / 4);
  EXPECT_LT(taken.t().matmul(solution.adjusted_keys).norm().item<double>(),
            1e-12 * solution.adjusted_keys.norm().item<double>());
}

TEST_F(ClosedFormTest, AlphaEditWithoutANullSpaceIsRefused) {
  threshold_ = 1e-9;
  const auto solution = Solve("alphaedit", keys_);
  ASSERT_THAT(solution, StatusIs(StatusCode::kFailedPrecondition, "no_null_space"));
  EXPECT_THAT(solution.status().message(), HasSubstr("0 of 96 directions"));
}

TEST_F(ClosedFormTest, AlphaEditTakesEachExpertsNullSpaceAndLeavesOutTheFrozen) {
  constexpr std::int64_t kWidth = kSize / 3;
  Statistics statistics{.covariance = {}, .tokens = 200};
  std::vector<at::Tensor> blocks;
  for (double scale : {1.0, 5.0, 25.0}) blocks.push_back(scale * CovarianceOf(kWidth));
  statistics.covariance[kLayer] = at::stack(blocks);
  statistics.passed[kLayer] = {60, kWidth - 1, kWidth};
  settings_ = *protocol::DefaultSettings("alphaedit", 6);
  settings_.nullspace_threshold = 1e-2;
  ASSERT_OK_AND_ASSIGN(const LayerSolution solution,
                       (*NewSolver("alphaedit", std::make_shared<const Statistics>(statistics)))
                           ->Solve({.layer = kLayer, .settings = settings_, .keys = keys_}));
  at::Tensor projection = at::zeros({kSize, kSize}, at::kDouble);
  for (const std::int64_t block : {0, 2}) {
    const at::Tensor free = std::get<1>(at::linalg_eigh(blocks[block])).narrow(1, 0, kWidth / 4);
    projection.narrow(0, block * kWidth, kWidth)
        .narrow(1, block * kWidth, kWidth)
        .copy_(free.matmul(free.t()));
  }
  const at::Tensor system =
      projection.matmul(keys_.matmul(keys_.t())) + solution.weight * at::eye(kSize, at::kDouble);
  EXPECT_LT(
      RelativeError(solution.adjusted_keys, at::linalg_solve(system, projection.matmul(keys_))),
      1e-9);
  EXPECT_EQ(solution.frozen, 1);
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

class LayeredTargetsTest : public ::testing::Test {
 protected:
  LayeredTargetsTest() { settings_.v_num_grad_steps = 6; }

  // The whole of a batch on `model`, whose weights of `layers` are the checkpoint's.
  Result<BatchSolution> Solve(const model::Transformer& model,
                              const std::vector<LayerIndex>& layers, std::int64_t own_targets) {
    settings_.layers = layers;
    settings_.own_targets = own_targets;
    const std::unique_ptr<Solver> solver = *NewSolver("memit", StatisticsOf(PlainCovariance(2048)));
    RecordingCommitter committer(atlas_.Tensors(settings_.layers));
    const std::vector<EditFact> facts = atlas_.Facts(0, 4);
    auto solution = SolveBatch({.model = model,
                                .tokenizer = *atlas_.tokenizer,
                                .facts = facts,
                                .settings = settings_,
                                .solver = *solver,
                                .committer = committer,
                                .targets = targets_});
    weights_ = committer.weights;
    return solution;
  }

  const Atlas atlas_;
  protocol::SolveSettings settings_ = *protocol::DefaultSettings("blue", 6);
  Targets targets_;
  std::map<LayerIndex, at::Tensor> weights_;
};

TEST_F(LayeredTargetsTest, BlueIsTheFirstLayerAloneAndThenTheLastAloneOnWhatItServes) {
  ASSERT_EQ(settings_.layers, (std::vector{kFirst, kLast}));
  ASSERT_EQ(settings_.own_targets, 1);
  ASSERT_OK_AND_ASSIGN(const BatchSolution both, Solve(*atlas_.model, {kFirst, kLast}, 1));
  ASSERT_OK_AND_ASSIGN(const BatchSolution first, Solve(*atlas_.model, {kFirst}, 0));
  const auto edited = atlas_.model->WithDownWeights(weights_);
  ASSERT_OK_AND_ASSIGN(const BatchSolution last, Solve(*edited, {kLast}, 0));
  for (std::size_t fact = 0; fact < 4; ++fact) {
    const EditSolution& edit = both.edits[fact];
    EXPECT_EQ(edit.delta.tensors[0], first.edits[fact].delta.tensors[0]);
    EXPECT_EQ(edit.delta.tensors[1], last.edits[fact].delta.tensors[0]);
    EXPECT_EQ(edit.target, last.edits[fact].target);
    EXPECT_EQ(edit.steps, first.edits[fact].steps + last.edits[fact].steps);
  }
}

TEST_F(LayeredTargetsTest, GivenTargetsAreThoseOfTheLastLayer) {
  ASSERT_OK_AND_ASSIGN(const BatchSolution found, Solve(*atlas_.model, {kFirst, kLast}, 1));
  targets_.values = at::empty({4, 256});
  for (std::int64_t fact = 0; fact < 4; ++fact)
    targets_.values[fact].copy_(at::tensor(found.edits[fact].target.values));
  ASSERT_OK_AND_ASSIGN(const BatchSolution again, Solve(*atlas_.model, {kFirst, kLast}, 1));
  for (std::size_t fact = 0; fact < 4; ++fact)
    EXPECT_EQ(again.edits[fact].delta, found.edits[fact].delta);
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
