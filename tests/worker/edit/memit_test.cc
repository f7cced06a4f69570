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
  const at::Tensor past = Random(kSize, 11, 5);
  ASSERT_OK_AND_ASSIGN(const LayerSolution solution, solver.Solve(kLayer, GetParam(), keys_, past));
  const at::Tensor system =
      System(*statistics_, GetParam()) + keys_.matmul(keys_.t()) + past.matmul(past.t());
  EXPECT_LT(RelativeError(solution.adjusted_keys, at::linalg_solve(system, keys_)), 1e-8);
  const at::Tensor vectors = Random(kSize, 5, 3);
  EXPECT_LT(RelativeError(solution.metric.SquaredNorms(vectors),
                          (vectors * system.matmul(vectors)).sum(0)),
            1e-10);
}

TEST(MethodsTest, EveryMethodThatMayBeAskedForIsKnownToTheWorker) {
  std::vector<std::string_view> asked;
  for (const protocol::SolveMethod& method : protocol::SolveMethods()) asked.push_back(method.name);
  std::vector<std::string_view> known;
  for (const Method& method : Methods()) {
    known.push_back(method.name);
    EXPECT_THAT(NewSolver(method.name, Covariance(64, 300)), IsOk()) << method.name;
  }
  EXPECT_EQ(asked, known);
  EXPECT_THAT(NewSolver("rome2", Covariance(64, 300)),
              StatusIs(StatusCode::kUnsupported, "unknown_method"));
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
