#include "worker/edit/solver.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "tests/support/status_matchers.h"

namespace emend::worker::edit::memit_test {
namespace {

using test::IsOk;
using test::StatusIs;

const LayerIndex kLayer(3);

at::Tensor Random(std::int64_t rows, std::int64_t cols, std::uint64_t seed) {
  at::manual_seed(seed);
  return at::randn({rows, cols}, at::kDouble);
}

double RelativeError(const at::Tensor& a, const at::Tensor& b) {
  return ((a - b).norm() / b.norm()).item<double>();
}

std::shared_ptr<const Statistics> Covariance(std::int64_t size, std::int64_t tokens) {
  const at::Tensor keys = Random(size, tokens, 1);
  Statistics statistics{.covariance = {}, .tokens = tokens};
  statistics.covariance[kLayer] = keys.matmul(keys.t()) / static_cast<double>(tokens);
  return std::make_shared<const Statistics>(statistics);
}

struct SolveWeights {
  double lambda = 0;
  double ridge = 0;
};

class MemitSolver {
 public:
  explicit MemitSolver(std::shared_ptr<const Statistics> statistics)
      : solver_(*NewSolver("memit", std::move(statistics))) {}
  Result<LayerSolution> Solve(LayerIndex layer, const SolveWeights& weights, const at::Tensor& keys,
                              const at::Tensor& past_keys = {}) {
    protocol::SolveSettings settings;
    settings.mom2_update_weight = weights.lambda;
    settings.ridge = weights.ridge;
    return solver_->Solve(
        {.layer = layer, .settings = settings, .keys = keys, .past_keys = past_keys});
  }

 private:
  std::unique_ptr<Solver> solver_;
};

// B = λ(C + ridge·tr(C)/d_ff·I), plainly.
at::Tensor System(const Statistics& statistics, const SolveWeights& weights) {
  const at::Tensor& c = statistics.covariance.at(kLayer);
  const double mean = c.trace().item<double>() / static_cast<double>(c.size(0));
  return weights.lambda * (c + weights.ridge * mean * at::eye(c.size(0), at::kDouble));
}

class MemitTest : public ::testing::TestWithParam<SolveWeights> {
 protected:
  static constexpr std::int64_t kSize = 96;
  const std::shared_ptr<const Statistics> statistics_ = Covariance(kSize, 400);
  const at::Tensor keys_ = Random(kSize, 17, 2);
};
INSTANTIATE_TEST_SUITE_P(Weights, MemitTest,
                         ::testing::Values(SolveWeights{300, 1e-2}, SolveWeights{15000, 0},
                                           SolveWeights{1e-3, 1e-4}));

TEST_P(MemitTest, TheDualFormEqualsThePrimalOne) {
  MemitSolver solver(statistics_);
  ASSERT_OK_AND_ASSIGN(const LayerSolution solution, solver.Solve(kLayer, GetParam(), keys_));
  const at::Tensor primal =
      at::linalg_solve(System(*statistics_, GetParam()) + keys_.matmul(keys_.t()), keys_);
  EXPECT_LT(RelativeError(solution.adjusted_keys, primal), 1e-8);
}

TEST_P(MemitTest, TheMetricIsTheNormOfTheSolvesMatrix) {
  MemitSolver solver(statistics_);
  ASSERT_OK_AND_ASSIGN(const LayerSolution solution, solver.Solve(kLayer, GetParam(), keys_));
  const at::Tensor system = System(*statistics_, GetParam()) + keys_.matmul(keys_.t());
  const at::Tensor vectors = Random(kSize, 5, 3);
  EXPECT_LT(RelativeError(solution.metric.SquaredNorms(vectors),
                          (vectors * system.matmul(vectors)).sum(0)),
            1e-10);
}

TEST_P(MemitTest, ByItselfTheMedianKeyOfABatchIsGivenEightNinths) {
  MemitSolver solver(statistics_);
  const SolveWeights by_itself{0, GetParam().ridge};
  ASSERT_OK_AND_ASSIGN(const LayerSolution solution, solver.Solve(kLayer, by_itself, keys_));
  const at::Tensor regularised = System(*statistics_, {1, GetParam().ridge});
  const double leverage =
      (keys_ * at::linalg_solve(regularised, keys_)).sum(0).median().item<double>();
  EXPECT_NEAR(solution.leverage / leverage, 1, 1e-9);
  EXPECT_NEAR(solution.weight / leverage, 0.125, 1e-9);
  ASSERT_OK_AND_ASSIGN(const LayerSolution asked,
                       solver.Solve(kLayer, {solution.weight, GetParam().ridge}, keys_));
  EXPECT_TRUE(at::equal(solution.adjusted_keys, asked.adjusted_keys));
}

TEST_P(MemitTest, MoreKeysThanDimensionsAreSolvedToo) {
  MemitSolver solver(statistics_);
  const at::Tensor wide = Random(kSize, 3 * kSize, 4);
  ASSERT_OK_AND_ASSIGN(const LayerSolution solution, solver.Solve(kLayer, GetParam(), wide));
  const at::Tensor primal =
      at::linalg_solve(System(*statistics_, GetParam()) + wide.matmul(wide.t()), wide);
  EXPECT_LT(RelativeError(solution.adjusted_keys, primal), 1e-8);
}

TEST_P(MemitTest, PastKeysKeepTheirValuesAsMuchAsTheBatchGetsItsOwn) {
  MemitSolver solver(statistics_);
  for (const std::int64_t count : {std::int64_t{11}, kSize, kSize + 1, 5 * kSize}) {
    const at::Tensor past = Random(kSize, count, 5);
    ASSERT_OK_AND_ASSIGN(const LayerSolution solution,
                         solver.Solve(kLayer, GetParam(), keys_, past));
    const at::Tensor system =
        System(*statistics_, GetParam()) + keys_.matmul(keys_.t()) + past.matmul(past.t());
    EXPECT_LT(RelativeError(solution.adjusted_keys, at::linalg_solve(system, keys_)), 1e-8)
        << count;
    const at::Tensor vectors = Random(kSize, 5, 3);
    EXPECT_LT(RelativeError(solution.metric.SquaredNorms(vectors),
                            (vectors * system.matmul(vectors)).sum(0)),
              1e-10)
        << count;
  }
}

// Three experts of 24, the second one passed by too few tokens.
class MemitExpertsTest : public ::testing::Test {
 protected:
  static constexpr std::int64_t kWidth = 24;
  MemitExpertsTest() {
    std::vector<at::Tensor> blocks;
    for (std::uint64_t expert = 0; expert < 3; ++expert) {
      const at::Tensor keys = Random(kWidth, 60, 7 + expert) * static_cast<double>(expert + 1);
      blocks.push_back(keys.matmul(keys.t()) / 200.0);
    }
    statistics_.covariance[kLayer] = at::stack(blocks);
    statistics_.passed[kLayer] = {60, kWidth - 1, kWidth};
  }
  Result<LayerSolution> Solve(const at::Tensor& past = {}) const {
    return MemitSolver(std::make_shared<const Statistics>(statistics_))
        .Solve(kLayer, {300, 1e-2}, keys_, past);
  }
  // Of the experts that are not frozen.
  static at::Tensor Open(const at::Tensor& rows) {
    return at::cat({rows.narrow(0, 0, kWidth), rows.narrow(0, 2 * kWidth, kWidth)});
  }

  Statistics statistics_{.covariance = {}, .tokens = 200};
  const at::Tensor keys_ = Random(3 * kWidth, 6, 2);
};

TEST_F(MemitExpertsTest, BlocksAreSolvedAsOneAndWhatIsFrozenIsLeftOut) {
  const at::Tensor past = Random(3 * kWidth, 4, 5);
  ASSERT_OK_AND_ASSIGN(const LayerSolution solution, Solve(past));
  at::Tensor system = at::zeros({2 * kWidth, 2 * kWidth}, at::kDouble);
  for (const std::int64_t block : {0, 1}) {
    const at::Tensor c = statistics_.covariance.at(kLayer)[2 * block];
    const double mean = c.trace().item<double>() / kWidth;
    system.narrow(0, block * kWidth, kWidth)
        .narrow(1, block * kWidth, kWidth)
        .copy_(300 * (c + 1e-2 * mean * at::eye(kWidth, at::kDouble)));
  }
  system += Open(keys_).matmul(Open(keys_).t()) + Open(past).matmul(Open(past).t());
  EXPECT_LT(RelativeError(Open(solution.adjusted_keys), at::linalg_solve(system, Open(keys_))),
            1e-8);
  EXPECT_EQ(solution.adjusted_keys.narrow(0, kWidth, kWidth).abs().max().item<double>(), 0);
  EXPECT_EQ(solution.frozen, 1);
  const at::Tensor vector = Random(kWidth, 3, 9);
  const at::Tensor last = system.narrow(0, kWidth, kWidth).narrow(1, kWidth, kWidth);
  EXPECT_LT(RelativeError(solution.metric.OfBlock(2, kWidth).SquaredNorms(vector),
                          (vector * last.matmul(vector)).sum(0)),
            1e-10);
}

TEST_F(MemitExpertsTest, ABlockThatCannotBeFactoredIsFrozen) {
  statistics_.covariance[kLayer][0].zero_();
  ASSERT_OK_AND_ASSIGN(const LayerSolution solution, Solve());
  EXPECT_EQ(solution.frozen, 2);
  EXPECT_EQ(solution.adjusted_keys.narrow(0, 0, 2 * kWidth).abs().max().item<double>(), 0);
  EXPECT_GT(solution.adjusted_keys.narrow(0, 2 * kWidth, kWidth).abs().min().item<double>(), 0);
}

TEST_F(MemitExpertsTest, KeysThatPassNothingButFrozenExpertsAreRefused) {
  statistics_.passed[kLayer] = {0, 0, 0};
  EXPECT_THAT(Solve(), StatusIs(StatusCode::kFailedPrecondition, "experts_frozen"));
}

TEST(MemitFactorTest, AKeptFactorGivesTheSameBitsAndOtherWeightsReplaceIt) {
  MemitSolver solver(Covariance(64, 300));
  const at::Tensor keys = Random(64, 5, 2);
  ASSERT_OK_AND_ASSIGN(const LayerSolution first, solver.Solve(kLayer, {300, 1e-2}, keys));
  ASSERT_OK_AND_ASSIGN(const LayerSolution again, solver.Solve(kLayer, {300, 1e-2}, keys));
  EXPECT_TRUE(at::equal(first.adjusted_keys, again.adjusted_keys));
  ASSERT_OK_AND_ASSIGN(const LayerSolution other, solver.Solve(kLayer, {30, 1e-2}, keys));
  EXPECT_GT(RelativeError(other.adjusted_keys, first.adjusted_keys), 0.1);
  ASSERT_OK_AND_ASSIGN(const LayerSolution back, solver.Solve(kLayer, {300, 1e-2}, keys));
  EXPECT_TRUE(at::equal(first.adjusted_keys, back.adjusted_keys));
}

TEST(MemitFactorTest, FewerTokensThanDimensionsNeedARidge) {
  MemitSolver solver(Covariance(64, 10));
  const at::Tensor keys = Random(64, 5, 2);
  EXPECT_THAT(solver.Solve(kLayer, {300, 0}, keys),
              StatusIs(StatusCode::kFailedPrecondition, "singular_statistics"));
  EXPECT_THAT(solver.Solve(kLayer, {300, 1e-2}, keys), IsOk());
}

TEST(MemitFactorTest, ALayerWithoutStatisticsAndKeysOfAnotherSizeAreRefused) {
  MemitSolver solver(Covariance(64, 300));
  EXPECT_THAT(solver.Solve(LayerIndex(1), {300, 1e-2}, Random(64, 5, 2)),
              StatusIs(StatusCode::kFailedPrecondition, "no_statistics"));
  EXPECT_THAT(solver.Solve(kLayer, {300, 1e-2}, Random(63, 5, 2)),
              StatusIs(StatusCode::kInvalidArgument));
}

}  // namespace
}  // namespace emend::worker::edit::memit_test
